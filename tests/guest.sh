#!/bin/bash
# Run a command in a guest whose kernel has pure cgroup v2 (user-mode Linux), and return its exit status.
#
#   tests/guest.sh [options] CMD ARGS...
#     -m MB      memory (default 1024)         -d MB    scratch ext4 disk at /vm (default 4096, sparse)
#     -t SEC     limit (default 300)           -e K=V   environment for CMD (repeatable)
#     -o DIR     host folder the guest may write (same path; default none)
#     -u USER    run CMD as this user (made if missing), in a delegated cgroup
#     -v         kernel messages on stderr     --setup  only install what is needed
#
# The guest sees this machine's whole root read-only under an overlay: every binary and path is there, and what CMD
# writes is gone afterwards, except under -o. It has its own init, no network but loopback, its controllers (cpu io
# memory pids) enabled as systemd does, and runs CMD in a leaf group of user.slice. It boots in 2 s and computes at
# the machine's speed; system calls are slow. It has no cpuset, no PSI and one processor.
set -euo pipefail
MEM=1024 DISK=4096 LIMIT=300 OUT= USER_= VERB= ONLY_SETUP= ENVS=()
usage() { sed -n '2,15p' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
    -m) MEM=$2; shift 2 ;; -d) DISK=$2; shift 2 ;; -t) LIMIT=$2; shift 2 ;; -e) ENVS+=("$2"); shift 2 ;;
    -o) OUT=$(cd "$2" && pwd); shift 2 ;; -u) USER_=$2; shift 2 ;; -v) VERB=1; shift ;;
    --setup) ONLY_SETUP=1; shift ;; --) shift; break ;; -*) usage ;; *) break ;;
    esac
done

missing=
for p in busybox-static e2fsprogs kmod gcc libc6-dev user-mode-linux; do
    dpkg -s "$p" >/dev/null 2>&1 || missing+=" $p"
done
if [ -n "$missing" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $missing >/dev/null
fi
[ -z "$ONLY_SETUP" ] || exit 0
[ $# -gt 0 ] || usage

W=$(mktemp -d "${TMPDIR:-/tmp}/teu-guest.XXXXXX")
trap 'rm -rf "$W"' EXIT
mkdir "$W/x"; chmod 777 "$W" "$W/x"
truncate -s "${DISK}M" "$W/disk"
mke2fs -q -F -t ext4 -O ^has_journal -E lazy_itable_init=1,nodiscard "$W/disk"

{ # What runs in the end.
    printf '#!/bin/sh\ncd %q 2>/dev/null || cd /vm\n' "$PWD"
    printf 'export HOME=/vm/home TMPDIR=/vm/tmp XDG_RUNTIME_DIR=/run/user/$(id -u) TERM=%q PATH=%q\n' "${TERM:-xterm}" "$PATH"
    for e in "${ENVS[@]:-}"; do [ -z "$e" ] || printf 'export %q\n' "$e"; done
    printf 'exec'; printf ' %q' "$@"; echo
} >"$W/cmd"

printf '#!/bin/busybox sh\nW=%s OUT=%q RUNAS=%q\n' "$W" "$OUT" "$USER_" >"$W/init"
cat >>"$W/init" <<'I'
# The host's root is at /, read-only (hostfs).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
B=/bin/busybox
V=$($B uname -r)
MODS=/usr/lib/uml/modules/$V CON=/dev/tty1
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys
$B insmod $MODS/kernel/fs/overlayfs/overlay.ko
N=/mnt/n
$B mount -t tmpfs -o mode=755 tmpfs /mnt
$B mkdir -p /mnt/up /mnt/wk $N
$B mount -t overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/wk root $N || $B echo "guest: no overlay root"
$B mkdir -p $N/vm $N/.old $N/lib/modules/$V
$B mount --bind $MODS $N/lib/modules/$V
$B mount -t ext4 /dev/ubda $N/vm
for m in "proc proc proc" "sys sysfs sys" "dev devtmpfs dev"; do set -- $m; $B mount -t $2 $1 $N/$3; done
$B mkdir -p $N/dev/pts $N/dev/shm $N/dev/mqueue
$B mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts $N/dev/pts
$B mount -t tmpfs -o mode=1777 shm $N/dev/shm
$B mount -t mqueue mqueue $N/dev/mqueue 2>/dev/null
$B mount -t tmpfs -o mode=755 run $N/run
$B mount -t tmpfs -o mode=1777 tmp $N/tmp
[ -e $N/dev/fd ] || $B ln -s /proc/self/fd $N/dev/fd
$B mount -t cgroup2 -o nsdelegate none $N/sys/fs/cgroup
# /tmp of the host stays visible, read-only; the exchange folder and -o are writable.
$B mount -t hostfs -o "ro,/tmp" none $N/tmp 2>/dev/null && $B mount -o remount,ro $N/tmp
for d in "$W/x" $OUT; do $B mkdir -p "$N$d"; $B mount -t hostfs none "$N$d" -o "$d"; done
cd $N && $B pivot_root . .old && cd / && $B umount -l /.old
$B mount --make-rshared /
$B mkdir -p /vm/tmp /vm/home /run/lock; $B chmod 1777 /vm/tmp; $B chmod 755 /vm
$B hostname teu-vm; $B ip link set lo up
modprobe -a fuse tun veth bridge 2>/dev/null
C=/sys/fs/cgroup
for d in $C $C/user.slice; do
    $B mkdir -p $d/user.slice $d/init.scope 2>/dev/null; [ $d = $C ] && echo 1 >$C/init.scope/cgroup.procs
    for c in $($B cat $d/cgroup.controllers); do echo +$c >$d/cgroup.subtree_control; done 2>/dev/null
done
$B rmdir $C/user.slice/user.slice $C/user.slice/init.scope 2>/dev/null
uid=0
if [ -n "$RUNAS" ]; then
    id "$RUNAS" >/dev/null 2>&1 || useradd -m "$RUNAS"
    grep -q "^$RUNAS:" /etc/subuid || usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "$RUNAS"
    uid=$(id -u "$RUNAS"); chown "$RUNAS" /vm/home
fi
$B mkdir -p /run/user/$uid; $B chown $uid /run/user/$uid; $B chmod 700 /run/user/$uid
D=$C/user.slice/user-$uid.slice
$B mkdir -p $D; for c in $($B cat $D/cgroup.controllers); do echo +$c >$D/cgroup.subtree_control; done 2>/dev/null
$B mkdir $D/session.scope
[ $uid = 0 ] || $B chown $uid $D $D/cgroup.procs $D/cgroup.subtree_control $D/cgroup.threads $D/session.scope $D/session.scope/cgroup.procs
$B stty -F $CON -opost -echo 2>/dev/null
run() { echo 0 >$D/session.scope/cgroup.procs; exec /usr/bin/setsid "$@" <$CON >$CON 2>&1; }
if [ $uid = 0 ]; then (run /bin/sh $W/cmd); else (run /usr/bin/setpriv --reuid $uid --regid $uid --init-groups --inh-caps=-all /bin/sh $W/cmd); fi
echo $? >$W/x/rc
$B sync; $B sleep 0.1
$B poweroff -f
I
chmod 755 "$W/init" "$W/cmd"

# User-mode Linux 6.1 keeps 2,696 bytes of FPU state; on a processor with AMX the host's ptrace wants the whole 11,008.
# This pads with an empty tile state on the way in and cuts it on the way out.
cat >"$W/fpu.c" <<'S'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/uio.h>
static char big[65536] __attribute__((aligned(64)));
static unsigned long full;
long ptrace(int req, ...) {
    static long (*real)(int, ...);
    va_list ap; va_start(ap, req);
    long pid = va_arg(ap, long), addr = va_arg(ap, long), data = va_arg(ap, long); va_end(ap);
    if (!real) real = dlsym(RTLD_NEXT, "ptrace");
    if (addr != 0x202 || (req != 0x4204 && req != 0x4205)) return real(req, pid, addr, data);
    struct iovec *io = (void *)data, b = { big, sizeof big };
    const unsigned long keep = 0x2ff; /* x87 .. AVX-512 and PKRU lie below 2,696 bytes */
    if (req == 0x4204) {
        long r = real(req, pid, addr, &b);
        if (r < 0) return r;
        full = b.iov_len;
        if (io->iov_len > full) io->iov_len = full;
        *(unsigned long *)(big + 512) &= keep;
        memcpy(io->iov_base, big, io->iov_len);
        return r;
    }
    if (!full) { long r = real(0x4204, pid, addr, &b); if (r < 0) return r; full = b.iov_len; }
    if (io->iov_len >= full) return real(req, pid, addr, data);
    memset(big, 0, full);
    memcpy(big, io->iov_base, io->iov_len);
    *(unsigned long *)(big + 512) &= keep;
    b.iov_len = full;
    return real(req, pid, addr, &b);
}
S
gcc -shared -fPIC -O2 -o "$W/fpu.so" "$W/fpu.c" -ldl
: >"$W/klog"
# The guest's memory is a file in TMPDIR, mapped executable: /dev/shm unless that is mounted noexec or small.
set +e
TMPDIR=/dev/shm LD_PRELOAD="$W/fpu.so" timeout -k 5 "$LIMIT" linux.uml mem="${MEM}M" rootfstype=hostfs rootflags=/ ro \
    init="$W/init" ubda="$W/disk" con=null con0=null,fd:2 con1=null,fd:1 ssl=null quiet 2>"$W/err" </dev/null | cat
[ -z "$VERB" ] || cat "$W/err" >&2
if [ -s "$W/x/rc" ]; then exit "$(cat "$W/x/rc")"; fi
tail -15 "$W/err" >&2; echo "guest: the guest ended without a result" >&2; exit 125
