# What etc/gatewayd.conf says on OpenWrt: /var is in memory, sysupgrade keeps /etc/gatewayd and nothing of
# /usr/lib, and the log is that of logread, with a priority for each line.
s|^\(# and must not be in the same backup\)\. .* On OpenWrt /var is in$|\1: sysupgrade keeps nothing of this directory.|
/^# memory: this has to be set there, /d
s|^#mark = .*|mark = "/usr/lib/gatewayd/mark/state.mark";|
s|^#log = .*|log = "syslog";|
