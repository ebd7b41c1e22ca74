# What etc/gatewayd.conf says on OpenWrt: /var is in memory, sysupgrade keeps /etc/gatewayd and nothing of
# /usr/lib, and the log is that of logread, with a priority for each line.
s|^#mark = .*|mark = "/usr/lib/gatewayd/mark/state.mark";|
s|^#log = .*|log = "syslog";|
