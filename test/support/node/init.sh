#!/usr/bin/env bash
# What booting does for a machine, done for a node: the first process of PID, mount and network namespaces of its own.
# All that a node makes (processes, mounts, interfaces) lives in them, so it ends with this process, whatever happens.
#
#   init.sh FOLDER    FOLDER: of this node; `up` appears in it when the node is ready for a container runtime
#
# The node shares this machine's files but /run, /dev, /var/lib and /var/log. Hence containerd and the kubelet use their
# usual paths, as the charts of others expect, and a test may put a GPU's device files into /dev.
set -euo pipefail
cd "$1"

mount -t proc proc /proc

mkdir -p lib log dev
mount --bind lib /var/lib
mount --bind log /var/log
mount -t tmpfs -o mode=755 run /run
resolver=$(readlink -m /etc/resolv.conf) # often a link into /run, and the container runtime wants to read it
[[ -e $resolver ]] || { mkdir -p "$(dirname "$resolver")" && : >"$resolver"; }

mount -t tmpfs -o mode=755 dev dev
device() { mknod -m "$2" "dev/$1" c "$3" "$4"; } # NAME MODE MAJOR MINOR
device null 666 1 3
device zero 666 1 5
device full 666 1 7
device random 666 1 8
device urandom 666 1 9
device kmsg 600 1 11
device tty 666 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount --move dev /dev

# A kubelet sets these for the whole machine. Here it sets files that look like them.
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
  kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  mkdir -p "sysctl/$(dirname $name)"
  cat "/proc/sys/$name" >"sysctl/$name"
  mount --bind "sysctl/$name" "/proc/sys/$name"
done

mount --make-rshared / # as systemd does: what pods mount "bidirectionally" is seen by others
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward

: >up
while true; do # bash reaps what is orphaned in these namespaces
  sleep 3600 &
  wait $! || true
done
