/* Random calls on descriptors that kcov has no operations for, and those of the kernel's own. */
#include "differences.h"
#include "model.h"
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/falloc.h>
#include <linux/fs.h>

/* A task, one of its descriptors that is no path only, and the instance. */
struct subject {
  int task, fd;
  struct instance *instance;
  const char *note;
};

#define ON(subject, number, ...) CALL((subject)->task, (subject)->note, number, (subject)->fd, __VA_ARGS__)

static int reads(const struct subject *subject) { return subject->instance->access != O_WRONLY; }
static int writes(const struct subject *subject) { return subject->instance->access != O_RDONLY; }

static void check_bytes(struct instance *instance, uint64_t offset, uint64_t size) {
  for (uint64_t i = 0; i < size / 8; i++)
    check_area(instance, offset / 8 + i, ((uint64_t *)SHARED->scratch)[i]);
}

/* The answer of read(2): see differences.h. */
static void read_area(const struct subject *subject) {
  struct instance *instance = subject->instance;
  uint64_t offset = below(3) * PAGE + 8 * below(20), size = 8 * (1 + below(2000));
  uint64_t whole = instance->state == OPENED ? 0 : instance->words * 8;
  struct iovec *iov = (struct iovec *)SHARED->last;
  struct outcome outcome;
  *iov = (struct iovec){SHARED->scratch, size};
  switch (below(4)) {
  case 0:
    outcome = ON(subject, SYS_lseek, offset, SEEK_SET);
    expect_difference(outcome, SEEKING);
    outcome = ON(subject, SYS_read, (long)SHARED->scratch, size);
    break;
  case 1:
    outcome = ON(subject, SYS_preadv, (long)iov, 1, offset, 0);
    break;
  default:
    outcome = ON(subject, SYS_pread64, (long)SHARED->scratch, size, offset);
  }
  if (!reads(subject)) {
    EXPECT(outcome, "it was not opened to be read", EBADF);
    return;
  }
  if (instance->state == OPENED) {
    EXPECT(outcome, "there is no area", EINVAL);
    return;
  }
  expect_difference(outcome, READING);
  uint64_t wanted = offset >= whole ? 0 : offset + size > whole ? whole - offset : size;
  if ((uint64_t)outcome.result != wanted)
    differs("%ld bytes, the model says %lu", outcome.result, wanted);
  check_bytes(instance, offset, wanted);
}

/* Nothing that writes has an effect. */
static void write_area(const struct subject *subject) {
  uint64_t offset = below(3) * PAGE + 8 * below(20), size = 1 + below(10000);
  struct iovec *iov = (struct iovec *)SHARED->last;
  struct outcome outcome;
  for (int i = 0; i < 10000; i += 8)
    *(uint64_t *)(SHARED->scratch + i) = random_bits();
  *iov = (struct iovec){SHARED->scratch, size};
  switch (below(4)) {
  case 0:
    outcome = ON(subject, SYS_write, (long)SHARED->scratch, size);
    break;
  case 1:
    outcome = ON(subject, SYS_writev, (long)iov, 1);
    break;
  case 2:
    outcome = ON(subject, SYS_pwritev2, (long)iov, 1, offset, 0, one_in(2) ? RWF_APPEND : RWF_DSYNC);
    break;
  default:
    outcome = ON(subject, SYS_pwrite64, (long)SHARED->scratch, size, offset);
  }
  if (!writes(subject))
    EXPECT(outcome, "it was not opened to be written", EBADF);
  else
    expect_difference(outcome, WRITING);
}

/* The pipe got the area, or nothing: see differences.h. */
static void check_pipe(const struct subject *subject, uint64_t offset, struct outcome outcome, uint64_t size) {
  struct instance *instance = subject->instance;
  uint64_t whole = instance->state == OPENED ? 0 : instance->words * 8;
  uint64_t most = offset >= whole ? 0 : offset + size > whole ? whole - offset : size;
  if (outcome.error || outcome.result == 0)
    return;
  if (options.direct || (uint64_t)outcome.result > most)
    differs("%ld bytes, the model says up to %lu", outcome.result, options.direct ? 0 : most);
  if (read(FD_PIPE_OUT, SHARED->scratch, SCRATCH) != outcome.result)
    differs("there is not so much in the pipe");
  check_bytes(instance, offset, outcome.result);
}

static void drain(void) {
  while (read(FD_PIPE_OUT, SHARED->scratch, SCRATCH) > 0) {
  }
}

/* From and to pipes, sockets and files. */
static void move_bytes(const struct subject *subject) {
  long *offset = (long *)SHARED->last;
  long size = 1 + below(20000);
  long at = *offset = below(2) * PAGE;
  switch (below(left_out("write") ? 2 : 6)) {
  case 0: {
    struct outcome outcome = ON(subject, SYS_splice, (long)offset, FD_PIPE_IN, 0, size, SPLICE_F_NONBLOCK);
    if (!reads(subject))
      EXPECT(outcome, "it was not opened to be read", EBADF);
    else if (subject->instance->state == OPENED)
      EXPECT(outcome, "there is no area", EINVAL, 0);
    else {
      expect_difference(outcome, SPLICING);
      check_pipe(subject, at, outcome, size);
    }
    break;
  }
  case 1: {
    struct outcome outcome = CALL(subject->task, subject->note, SYS_sendfile, FD_FILE, subject->fd, (long)offset, size);
    if (!reads(subject))
      EXPECT(outcome, "it was not opened to be read", EBADF);
    else if (subject->instance->state == OPENED)
      EXPECT(outcome, "there is no area", EINVAL, 0);
    else
      expect_difference(outcome, SPLICING);
    break;
  }
  case 2:
    if (write(FD_PIPE_IN, SHARED->scratch, 3000) != 3000)
      differs("Cannot write into the pipe");
    EXPECT(CALL(subject->task, subject->note, SYS_splice, FD_PIPE_OUT, 0, subject->fd, one_in(2) ? (long)offset : 0, size, SPLICE_F_NONBLOCK),
           "kcov has no write", writes(subject) ? EINVAL : EBADF);
    break;
  case 3:
    *offset = 0;
    EXPECT(CALL(subject->task, subject->note, SYS_sendfile, subject->fd, FD_FILE, (long)offset, size), "kcov has no write",
           writes(subject) ? EINVAL : EBADF);
    break;
  case 4:
    offset[0] = offset[1] = 0;
    EXPECT(CALL(subject->task, subject->note, SYS_copy_file_range, FD_FILE, (long)offset, subject->fd, (long)(offset + 1), size, 0),
           "kcov has no write", EBADF, EXDEV, EINVAL);
    break;
  default:
    /* Into a file of another filesystem, and into itself. */
    offset[1] = below(2) * 8 * PAGE;
    EXPECT(CALL(subject->task, subject->note, SYS_copy_file_range, subject->fd, (long)offset, one_in(2) ? FD_FILE : subject->fd, (long)(offset + 1), size, 0),
           "kcov has no read", EBADF, EXDEV, differences[SPLICING].here[0], differences[SPLICING].here[1]);
  }
  drain();
}

static void expect_truncation(struct outcome outcome, const struct instance *instance, uint64_t size) {
  if (size == (instance->state == OPENED ? 0 : instance->words * 8))
    EXPECT(outcome, "it is so long", 0);
  else
    expect_difference(outcome, TRUNCATING);
}

static void resize(const struct subject *subject) {
  static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE};
  long size = one_in(3) ? 0 : below(40000);
  if (one_in(2)) {
    struct outcome outcome = ON(subject, SYS_fallocate, modes[below(6)], below(2) * PAGE, PAGE * (1 + below(3)));
    EXPECT(outcome, "kcov has no fallocate", writes(subject) ? EOPNOTSUPP : EBADF, EOPNOTSUPP);
    return;
  }
  struct outcome outcome = ON(subject, SYS_ftruncate, size);
  if (!writes(subject))
    EXPECT(outcome, "it was not opened to be written", EINVAL);
  else
    expect_truncation(outcome, subject->instance, size);
}

static void seek(const struct subject *subject) {
  static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 9};
  int whence = whences[below(6)];
  struct outcome outcome = ON(subject, SYS_lseek, below(1000), whence);
  if (whence == 9)
    EXPECT(outcome, "there is no such", EINVAL, ESPIPE);
  else if (whence == SEEK_SET)
    expect_difference(outcome, SEEKING);
  else
    EXPECT(outcome, "it is not to be sought in", 0, EINVAL, ENXIO, ESPIPE);
}

static void wait_on(const struct subject *subject) {
  struct pollfd *ready = (struct pollfd *)SHARED->scratch;
  *ready = (struct pollfd){subject->fd, POLLIN | POLLOUT | POLLPRI, 0};
  struct outcome outcome = CALL(subject->task, subject->note, SYS_poll, (long)ready, 1, 0);
  EXPECT(outcome, "it is always ready", 0);
  if (ready->revents != (POLLIN | POLLOUT))
    differs("events 0x%x, the model says POLLIN | POLLOUT", ready->revents);
}

static void control(const struct subject *subject) {
  int process = process_of(subject->task);
  struct descriptor *descriptor = &processes[process].fds[subject->fd];
  struct flock *lock = (struct flock *)SHARED->scratch;
  *lock = (struct flock){.l_type = one_in(2) ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET, .l_start = below(100), .l_len = below(100)};
  int is_allowed = lock->l_type == F_RDLCK ? reads(subject) : writes(subject);
  struct outcome outcome;
  switch (below(9)) {
  case 0:
    descriptor->closes_on_exec = one_in(2);
    EXPECT(ON(subject, SYS_fcntl, F_SETFD, descriptor->closes_on_exec ? FD_CLOEXEC : 0), "it is open", 0);
    return;
  case 1:
    outcome = ON(subject, SYS_fcntl, F_GETFD);
    if (outcome.result != descriptor->closes_on_exec)
      differs("the model says %d", descriptor->closes_on_exec);
    return;
  case 2:
    EXPECT(ON(subject, SYS_fcntl, F_SETFL, (one_in(2) ? O_APPEND : 0) | (one_in(2) ? O_NONBLOCK : 0)), "flags are its own", 0);
    return;
  case 3:
    EXPECT(ON(subject, SYS_fcntl, F_SETLK, (long)lock), "it has locks as any file", is_allowed ? 0 : EBADF);
    lock->l_type = F_UNLCK;
    EXPECT(ON(subject, SYS_fcntl, F_SETLK, (long)lock), "it has locks as any file", 0);
    return;
  case 4:
    EXPECT(ON(subject, SYS_fcntl, F_OFD_SETLK, (long)lock), "it has locks as any file", is_allowed ? 0 : EBADF);
    lock->l_type = F_UNLCK;
    EXPECT(ON(subject, SYS_fcntl, F_OFD_SETLK, (long)lock), "it has locks as any file", 0);
    return;
  case 5:
    EXPECT(ON(subject, SYS_flock, (one_in(2) ? LOCK_SH : LOCK_EX) | LOCK_NB), "it has locks as any file", 0);
    EXPECT(ON(subject, SYS_flock, LOCK_UN), "it has locks as any file", 0);
    return;
  case 6:
    EXPECT(ON(subject, SYS_fcntl, F_SETLEASE, one_in(2) ? F_RDLCK : F_WRLCK), "it may have leases", 0, EAGAIN, EINVAL, EBUSY);
    EXPECT(ON(subject, SYS_fcntl, F_SETLEASE, F_UNLCK), "it may have leases", 0, EAGAIN, EINVAL);
    return;
  case 7:
    EXPECT(ON(subject, SYS_fcntl, F_NOTIFY, 1), "it is no folder", ENOTDIR);
    return;
  default:
    EXPECT(ON(subject, SYS_fcntl, F_ADD_SEALS, F_SEAL_WRITE), "it is no memfd", writes(subject) ? EINVAL : EPERM);
    EXPECT(ON(subject, SYS_fcntl, F_SETPIPE_SZ, 4096), "it is no pipe", EBADF);
  }
}

/* ioctls that the kernel answers itself. */
static void kernels_ioctl(const struct subject *subject) {
  int process = process_of(subject->task);
  int *value = (int *)SHARED->scratch;
  switch (below(6)) {
  case 0:
    EXPECT(ON(subject, SYS_ioctl, FIOCLEX), "any descriptor has it", 0);
    processes[process].fds[subject->fd].closes_on_exec = 1;
    return;
  case 1:
    EXPECT(ON(subject, SYS_ioctl, FIONCLEX), "any descriptor has it", 0);
    processes[process].fds[subject->fd].closes_on_exec = 0;
    return;
  case 2:
    *value = one_in(2);
    EXPECT(ON(subject, SYS_ioctl, FIONBIO, (long)value), "any descriptor has it", 0);
    return;
  case 3:
    *value = 1;
    EXPECT(ON(subject, SYS_ioctl, FIOASYNC, (long)value), "kcov has no fasync", ENOTTY);
    return;
  case 4:
    EXPECT(ON(subject, SYS_ioctl, one_in(2) ? FS_IOC_GETFLAGS : FS_IOC_GETVERSION, (long)value), "kcov has no flags", ENOTTY, differences[FLAGS].here[0]);
    return;
  default:
    EXPECT(ON(subject, SYS_ioctl, one_in(2) ? FICLONE : FICLONERANGE, (long)value), "kcov has none such", EBADF, EINVAL, EXDEV, EOPNOTSUPP);
  }
}

static void attributes(const struct subject *subject) {
  long name = (long)strcpy(SHARED->scratch, one_in(2) ? "user.x" : "trusted.x"), value = name + 256;
  struct stat *facts = (struct stat *)SHARED->scratch;
  struct outcome outcome;
  switch (below(9)) {
  case 0:
    expect_difference(ON(subject, SYS_fsetxattr, name, value, 4, 0), GIVING);
    return;
  case 1:
    EXPECT(ON(subject, SYS_fgetxattr, name, value, 100), "it has no attributes", EOPNOTSUPP);
    return;
  case 2:
    expect_difference(ON(subject, SYS_fremovexattr, name), GIVING);
    return;
  case 3:
    expect_difference(ON(subject, SYS_flistxattr, value, 100), ATTRIBUTES);
    return;
  case 4:
    EXPECT(ON(subject, SYS_fstatfs, value), "it is mounted", 0);
    return;
  case 5:
    expect_difference(ON(subject, SYS_fchmod, 0640), CHANGING);
    return;
  case 6:
    expect_difference(ON(subject, SYS_fchown, 1, 1), CHANGING);
    return;
  case 7:
    expect_difference(ON(subject, SYS_utimensat, 0, 0, 0), TOUCHING);
    return;
  default:
    outcome = ON(subject, SYS_fstat, (long)facts);
    EXPECT(outcome, "it is open", 0);
    if ((facts->st_mode & S_IFMT) != S_IFREG || facts->st_uid != 0)
      differs("mode 0%o, uid %d", facts->st_mode, facts->st_uid);
  }
}

static void others(const struct subject *subject) {
  uint64_t size = 8 * below(10);
  switch (below(6)) {
  case 0:
    expect_difference(ON(subject, one_in(2) ? SYS_fsync : SYS_fdatasync, 0), SYNC);
    return;
  case 1:
    EXPECT(ON(subject, SYS_fadvise64, 0, PAGE * 4, one_in(2) ? 4 /* DONTNEED */ : below(6)), "it is a hint", 0);
    return;
  case 2:
    EXPECT(ON(subject, SYS_sync_file_range, 0, PAGE, 7), "nothing is to be written", 0);
    return;
  case 3:
    EXPECT(ON(subject, SYS_readahead, 0, PAGE), "it is a hint", reads(subject) ? 0 : EBADF, reads(subject) ? EINVAL : EBADF);
    return;
  case 4:
    snprintf(SHARED->scratch, 64, "/proc/thread-self/fd/%d", subject->fd);
    expect_difference(CALL(subject->task, subject->note, SYS_openat, AT_FDCWD, (long)SHARED->scratch, O_RDWR), REOPENING);
    return;
  default:
    snprintf(SHARED->scratch, 64, "/proc/thread-self/fd/%d", subject->fd);
    expect_truncation(CALL(subject->task, subject->note, SYS_truncate, (long)SHARED->scratch, size), subject->instance, size);
  }
}

void file_step(int task) {
  int fd = any_fd(process_of(task));
  if (fd < 0)
    return;
  struct descriptor descriptor = processes[process_of(task)].fds[fd];
  char note[64];
  snprintf(note, sizeof note, "[i%d%s]", descriptor.instance->number, descriptor.is_path ? ", a path" : "");
  struct subject subject = {task, fd, descriptor.instance, note};
  if (descriptor.is_path) {
    static const long numbers[] = {SYS_read, SYS_write, SYS_fsync, SYS_ftruncate, SYS_fchmod, SYS_fallocate, SYS_lseek, SYS_fadvise64};
    EXPECT(ON(&subject, numbers[below(8)], 0), "it is a path only", EBADF);
    return;
  }
  switch (below(9)) {
  case 0: read_area(&subject); return;
  case 1: if (!left_out("write")) write_area(&subject); return;
  case 2: move_bytes(&subject); return;
  case 3: resize(&subject); return;
  case 4: if (one_in(2)) seek(&subject); else wait_on(&subject); return;
  case 5: control(&subject); return;
  case 6: kernels_ioctl(&subject); return;
  case 7: attributes(&subject); return;
  default: others(&subject);
  }
}
