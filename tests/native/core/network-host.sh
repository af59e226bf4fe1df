# A host with one uplink to "the internet", which knows no route back; its FORWARD chain drops, as Docker leaves it.
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
ip link set lo up
unshare --net sleep 60 &
internet=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  test "$(readlink /proc/$internet/ns/net)" != "$(readlink /proc/self/ns/net)" && break
  sleep 0.05
done
ip link add up0 type veth peer name down0 netns $internet
ip addr add 198.51.100.1/30 dev up0
ip link set up0 up
ip route add default via 198.51.100.2
nsenter -t $internet -n ip addr add 198.51.100.2/30 dev down0
nsenter -t $internet -n ip link set down0 up
nsenter -t $internet -n ip link set lo up
nft add table ip filter
nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
nsenter -t $internet -n python3 -c '
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(("seen from " + self.client_address[0] + "\n").encode())
    def log_message(self, *a): pass
http.server.HTTPServer(("198.51.100.2", 8080), Page).serve_forever()' &
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
  busybox wget -qO /dev/null http://198.51.100.2:8080/ 2>/dev/null && break
  sleep 0.1
done
"$@"
