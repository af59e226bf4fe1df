"""Runs a command on a new terminal of 33x77, types what comes next, prints all that the terminal shows. Stdin: lines 'WAIT<TAB>TYPE'."""
import fcntl, os, pty, select, struct, sys, termios

steps = [line.rstrip("\n").split("\t") for line in sys.stdin if line.strip()]
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
at = 0
while True:
    ready, _, _ = select.select([master], [], [], 30)
    if not ready:
        print("TIMEOUT")
        os.kill(pid, 9)
        break
    try:
        got = os.read(master, 4096)
    except OSError:
        break
    if not got:
        break
    seen += got
    while steps and steps[0][0].encode() in seen[at:]:
        wait, keys = steps.pop(0)
        at = seen.index(wait.encode(), at) + len(wait)
        if keys == "RESIZE":
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 99, 0, 0))
        else:
            os.write(master, keys.encode().decode("unicode_escape").encode())
_, status = os.waitpid(pid, 0)
sys.stdout.write(seen.decode("utf-8", "replace") + "\n[%s]\n" % (os.waitstatus_to_exitcode(status),))
