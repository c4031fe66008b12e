# Makes a machine of its own out of a root and becomes its PID 1, systemd: sh -c TEXT boot FOLDER ROOT BIN TARGET
#
# It runs in mount, PID, UTS, IPC and cgroup namespaces of its own and shares the network. What is written goes to a tmpfs over the root.
# Of the root's units it has the targets, the slices, the journal's and Ceph's managers', so that nothing else starts there.
# FOLDER: empty, for mounts; `pid` and `ready` are written there first. BIN: is seen inside at its own path. TARGET: what is started.
set -eu
folder=$1 root=$2 bin=$3 target=$4
# As the caller's /proc has it.
read -r pid rest </proc/self/stat
echo "$pid" >"$folder/pid"

mount --make-rprivate /
upper=$folder/upper
mount -t tmpfs -o mode=755 tmpfs "$upper"
mkdir "$upper/up" "$upper/work" "$upper/root" "$upper/units"
mount -t overlay -o "lowerdir=$root,upperdir=$upper/up,workdir=$upper/work" overlay "$upper/root"
cd "$upper/root"

mount -t proc -o nosuid,noexec,nodev proc proc
# Nobody inside changes the kernel that all share.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro,nosuid,noexec,nodev sysfs sys
mount -t cgroup2 -o nosuid,noexec,nodev cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid,noexec tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
# One that PrivateDevices= has to hide.
mknod -m 666 dev/fuse c 10 229
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp

units=usr/lib/systemd/system
for unit in "$units"/*.target "$units"/*.slice "$units"/systemd-journald* "$units"/ceph-mgr@.service; do
    if [ -f "$unit" ]; then cp "$unit" "$upper/units/"; fi
done
mount --bind "$upper/units" "$units"
mount -t tmpfs -o mode=755 tmpfs etc/systemd/system
mount -t tmpfs -o mode=755 tmpfs usr/lib/systemd/system-generators
printf '[Unit]\nWants=systemd-journald.service\nAfter=systemd-journald.service\n' >"etc/systemd/system/$target"
# Of the machine that the root belongs to.
rm -f etc/machine-id
echo 5ee1d0b1e5a54cf1a1a2c3d4e5f60718 >etc/machine-id

mkdir -p ".$bin"
mount --bind "$bin" ".$bin"
# The target of the mounts that services get.
pivot_root . mnt
umount -l /mnt
mount --make-rshared /
hostname axon-systemd
exec env -i container=axon PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit="$target" --log-target=journal-or-kmsg --log-level=info
