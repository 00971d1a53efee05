/* fuzz DIRECTORY COMMAND...
 *
 * A fuzzer of a filesystem that COMMAND mounts on DIRECTORY, and of which it says so by a line: makes
 * sequences of system calls on it, keeps those that reach what none before did, and changes these
 * further, until one fails with EIO. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0
#define COVER_SIZE (64 << 10)

#define ATTRIBUTE "user.policy"
#define LONGEST_VALUE 2
#define MOST_CALLS 10
#define MOST_PROGRAMS 4096

/* Files are called by a letter. */
static const char *const names[] = {"a", "b", "c"};
#define NAMES (sizeof names / sizeof *names)

enum operation { CREATE, WRITE, READ, TRUNCATE, RENAME, UNLINK, SETXATTR, GETXATTR, OPERATIONS };

struct call {
  enum operation operation;
  unsigned file, other, number;
  char value[LONGEST_VALUE + 1];
};
struct program {
  unsigned length;
  struct call calls[MOST_CALLS];
};

/* To begin with: what the filesystem is for. */
static const struct program typical = {
    .length = 5,
    .calls = {{CREATE, .file = 0},
              {SETXATTR, .file = 0, .value = "q4"},
              {CREATE, .file = 1},
              {WRITE, .file = 1, .number = 20},
              {RENAME, .file = 1, .other = 0}},
};

static struct program corpus[MOST_PROGRAMS];
static unsigned programs, executions, blocks;
/* PCs are multiples of 8; two of them may share a place. */
static uint8_t seen[1 << 16];
static uint64_t *cover;
/* A call failed for no reason of its caller's. */
static int is_broken;

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void open_kcov(void) {
  const char *path = getenv("KCOV");
  int fd = open(path ? path : "/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
  if (fd == -1 || ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
    fail("kcov");
  cover = mmap(NULL, COVER_SIZE * sizeof *cover, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    fail("kcov");
}

/* Returns once it is mounted, with the working directory on it. */
static void mount_on(const char *directory, char **command) {
  int output[2];
  char line[64];
  if (pipe2(output, O_CLOEXEC))
    fail("pipe");
  if (fork() == 0) {
    /* However this ends, the filesystem does not outlive it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output[1], 1);
    execvp(command[0], command);
    _exit(127);
  }
  close(output[1]);
  if (read(output[0], line, sizeof line) <= 0 || chdir(directory))
    fail(directory);
}

static long do_open(const struct call *call) {
  char bytes[64] = {0};
  long result = 0;
  int fd = open(names[call->file], O_RDWR | (call->operation == CREATE ? O_CREAT : 0), 0600);
  if (fd == -1)
    return -1;
  if (call->operation == WRITE)
    result = pwrite(fd, bytes, call->number % sizeof bytes, call->number);
  if (call->operation == READ)
    result = pread(fd, bytes, call->number % sizeof bytes, call->number);
  close(fd);
  return result;
}

static long do_call(const struct call *call) {
  const char *file = names[call->file];
  char value[64];
  switch (call->operation) {
  case TRUNCATE: return truncate(file, call->number);
  case RENAME: return rename(file, names[call->other]);
  case UNLINK: return unlink(file);
  case SETXATTR: return setxattr(file, ATTRIBUTE, call->value, strlen(call->value), 0);
  case GETXATTR: return getxattr(file, ATTRIBUTE, value, sizeof value);
  default: return do_open(call);
  }
}

static void print_call(const struct call *call) {
  static const char *const formats[] = {
      "create %s",      "write %s, %u bytes from there", "read %s, %u bytes from there",
      "truncate %s %u", "rename %s",                     "unlink %s",
      "setxattr %s",    "getxattr %s",
  };
  printf("  ");
  printf(formats[call->operation], names[call->file], call->number);
  if (call->operation == RENAME)
    printf(" %s", names[call->other]);
  if (call->operation == SETXATTR)
    printf(" %s=%s", ATTRIBUTE, call->value);
  printf("\n");
}

static void remove_files(void) {
  DIR *directory = opendir(".");
  for (struct dirent *entry; directory && (entry = readdir(directory));)
    unlink(entry->d_name);
  if (directory)
    closedir(directory);
}

/* Runs a program on the empty filesystem; returns whether it reached anything new. */
static int execute(const struct program *program) {
  unsigned before = blocks;
  remove_files();
  __atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
  for (unsigned i = 0; i < program->length; i++)
    if (do_call(&program->calls[i]) == -1)
      is_broken |= errno == EIO || errno == ENOTCONN || errno == ECONNABORTED;
  uint64_t n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED);
  executions++;
  for (uint64_t i = 1; i <= n; i++) {
    uint8_t *place = &seen[(cover[i] >> 3) % sizeof seen];
    blocks += !*place;
    *place = 1;
  }
  if (blocks > before)
    printf("%9u programs  %u blocks\n", executions, blocks);
  return blocks > before;
}

static struct call random_call(void) {
  struct call call = {
      .operation = rand() % OPERATIONS,
      .file = rand() % NAMES,
      .other = rand() % NAMES,
      .number = rand() % 256,
  };
  for (int i = rand() % LONGEST_VALUE; i >= 0; i--)
    call.value[i] = 'a' + rand() % 26;
  return call;
}

static void change_argument(struct call *call) {
  if (call->operation == RENAME)
    call->other = rand() % NAMES;
  else if (call->operation == SETXATTR)
    call->value[rand() % LONGEST_VALUE] = 'a' + rand() % 26;
  else
    call->number = rand() % 256;
}

static void append(struct program *program, const struct program *other) {
  for (unsigned i = 0; i < other->length && program->length < MOST_CALLS; i++)
    program->calls[program->length++] = other->calls[i];
}

/* Often of what came in last: new code is often next to new code. */
static struct program mutation(void) {
  struct program program = corpus[rand() % 4 ? rand() % programs : programs - 1];
  if (rand() % 4 == 0)
    append(&program, &corpus[rand() % programs]);
  do {
    unsigned at = rand() % (program.length + 1);
    struct call *call = &program.calls[at], fresh = random_call();
    size_t after = (program.length - at) * sizeof fresh;
    if (at == program.length || rand() % 4 == 0) {
      if (program.length == MOST_CALLS)
        continue;
      memmove(call + 1, call, after);
      *call = fresh;
      program.length++;
      continue;
    }
    switch (rand() % 4) {
    case 0:
      memmove(call, call + 1, after - sizeof fresh);
      program.length--;
      break;
    case 1: call->file = fresh.file; break;
    default: change_argument(call);
    }
  } while (rand() % 2);
  return program;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: fuzz DIRECTORY COMMAND...\n");
    return 2;
  }
  setlinebuf(stdout);
  mount_on(argv[1], argv + 2);
  open_kcov();
  for (struct program program = typical;; program = mutation()) {
    int is_new = execute(&program);
    if (is_broken) {
      printf("Program %u breaks the filesystem:\n", executions);
      for (unsigned i = 0; i < program.length; i++)
        print_call(&program.calls[i]);
      return 0;
    }
    if (programs == 0 || (is_new && programs < MOST_PROGRAMS))
      corpus[programs++] = program;
  }
}
