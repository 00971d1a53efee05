# machine.sh FOLDER CGROUP: becomes a systemd, in namespaces that hide all but the kernel, the programs and /tmp of
# this machine. Its units are those in FOLDER/units, its settings those in FOLDER/default; CGROUP is the
# name of the group that it has to itself.
set -eu
if [ "${3:-}" != inside ]; then
  mkdir -p "$1/cgroup"
  mount -t cgroup2 cgroup2 "$1/cgroup"
  mkdir "$1/cgroup/$2"
  echo $$ > "$1/cgroup/$2/cgroup.procs"
  exec unshare --pid --fork --kill-child --mount-proc --mount --cgroup --uts --ipc \
    sh "$0" "$1" "$2" inside
fi
umount "$1/cgroup"
umount --recursive --lazy /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount --bind "$1/default" /etc/default
# What it would set up is this machine's.
for folder in /dev /proc/sys; do
  mount --rbind $folder $folder
  mount -o remount,bind,ro $folder
done
mkdir -p /run/systemd/system
# As on a machine that systemd has booted: what is mounted is seen in the namespaces of services.
mount --make-rshared /
exec env -i PATH="$PATH" container=kcovfs-test SYSTEMD_UNIT_PATH="$1/units" \
  SYSTEMD_GENERATOR_PATH="$1/none" SYSTEMD_ENVIRONMENT_GENERATOR_PATH="$1/none" \
  /lib/systemd/systemd --system --unit=kcovfs-test.target --log-target=console --show-status=no
