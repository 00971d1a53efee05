/* passthrough FILE: does what the lines of standard input say, and answers each with a line.
 *
 * Descriptors and mappings have slots, 0 to 7. A mapping is `words` long, as the last `size` said.
 *
 *   open F              close F             reopen F G (through /proc/self/fd)
 *   size F WORDS        length F            end F
 *   read F OFFSET LEN   write F OFFSET
 *   shared F M          private F M         unmap M
 *   load M WORD         store M WORD VALUE  child M WORD VALUE (a child stores it)
 */
#include "kcov.h"
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf fault;
static int fds[8];
static volatile uint64_t *maps[8];
static unsigned long words = 512;
static const char *file;

static void on_fault(int number) { siglongjmp(fault, number); }

static void say(long result) {
  if (result < 0)
    printf("%s\n", strerror(errno));
  else
    printf("%ld\n", result);
}

static void map(int fd, int slot, int flags) {
  void *area = mmap(NULL, words * 8, PROT_READ | PROT_WRITE, flags, fd, 0);
  maps[slot] = area;
  say(area == MAP_FAILED ? -1 : 0);
}

static void touch(const char *verb, const long *n) {
  int number = sigsetjmp(fault, 1);
  if (number) {
    printf("%s\n", strsignal(number));
    return;
  }
  if (*verb == 's')
    maps[n[0]][n[1]] = n[2];
  printf("%lu\n", maps[n[0]][n[1]]);
}

static void child(const long *n) {
  pid_t pid = fork();
  if (pid == 0) {
    maps[n[0]][n[1]] = n[2];
    _exit(0);
  }
  int status;
  say(waitpid(pid, &status, 0) < 0 ? -1 : status);
}

static long file_call(const char *verb, const long *n) {
  static char bytes[65536];
  struct stat status;
  if (!strcmp(verb, "open"))
    return (fds[n[0]] = open(file, O_RDWR | O_CLOEXEC)) < 0 ? -1 : 0;
  if (!strcmp(verb, "reopen")) {
    snprintf(bytes, sizeof bytes, "/proc/self/fd/%d", fds[n[0]]);
    return (fds[n[1]] = open(bytes, O_RDWR | O_CLOEXEC)) < 0 ? -1 : 0;
  }
  if (!strcmp(verb, "close"))
    return close(fds[n[0]]);
  if (!strcmp(verb, "size"))
    return words = n[1], ioctl(fds[n[0]], KCOV_INIT_TRACE, words);
  if (!strcmp(verb, "length"))
    return fstat(fds[n[0]], &status) ? -1 : status.st_size;
  if (!strcmp(verb, "end"))
    return lseek(fds[n[0]], 0, SEEK_END);
  if (!strcmp(verb, "read"))
    return pread(fds[n[0]], bytes, n[2], n[1]);
  if (!strcmp(verb, "write"))
    return pwrite(fds[n[0]], "x", 1, n[1]);
  if (!strcmp(verb, "unmap"))
    return munmap((void *)maps[n[0]], words * 8);
  errno = 0;
  die("what is %s", verb);
  return -1;
}

int main(int argc, char **argv) {
  char line[128], verb[16];
  if (argc != 2)
    die("usage: passthrough FILE");
  file = argv[1];
  signal(SIGBUS, on_fault);
  signal(SIGSEGV, on_fault);
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    long n[3] = {0};
    sscanf(line, "%15s %ld %ld %ld", verb, n, n + 1, n + 2);
    if (!strcmp(verb, "shared") || !strcmp(verb, "private"))
      map(fds[n[0]], n[1], *verb == 's' ? MAP_SHARED : MAP_PRIVATE);
    else if (!strcmp(verb, "load") || !strcmp(verb, "store"))
      touch(verb, n);
    else if (!strcmp(verb, "child"))
      child(n);
    else
      say(file_call(verb, n));
  }
  return 0;
}
