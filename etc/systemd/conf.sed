# What etc/gatewayd.conf says where gatewayd is a service of systemd: state where gatewayd.service lets
# it write, the mark in another directory than that, and log lines with their priority in the journal.
s|^#state_dir = .*|state_dir = "/var/lib/gatewayd";|
s|^#mark = .*|mark = "/var/lib/gatewayd-mark/gatewayd.mark";|
s|^#log = .*|log = "syslog";|
s|/etc/gatewayd/state/|/var/lib/gatewayd/|
