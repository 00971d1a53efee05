/* The part that every client here needs of the kernel's manual (Documentation/dev-tools/kcov.rst), and a way to
 * send a request to a service. Nothing in these files knows of kcovfs. */
#ifndef KCOV_H
#define KCOV_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_DISABLE _IO('c', 101)
#define KCOV_RESET_TRACE _IO('c', 104)
#define KCOV_TRACE_PC 0
#define KCOV_TRACE_CMP 1

/* Not every client uses everything. */
#define MAYBE_UNUSED __attribute__((unused))

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  if (errno)
    fprintf(stderr, ": %s", strerror(errno));
  fputc('\n', stderr);
  exit(1);
}

struct kcov {
  int fd;
  unsigned long words;
  uint64_t *area;
};

MAYBE_UNUSED static struct kcov kcov_open(const char *path, unsigned long words) {
  struct kcov kcov = {.words = words};
  kcov.fd = open(path, O_RDWR | O_CLOEXEC);
  if (kcov.fd < 0)
    die("open %s", path);
  if (ioctl(kcov.fd, KCOV_INIT_TRACE, words))
    die("KCOV_INIT_TRACE");
  kcov.area = mmap(NULL, words * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, kcov.fd, 0);
  if (kcov.area == MAP_FAILED)
    die("mmap");
  return kcov;
}

MAYBE_UNUSED static void kcov_enable(struct kcov *kcov) {
  if (ioctl(kcov->fd, KCOV_ENABLE, KCOV_TRACE_PC))
    die("KCOV_ENABLE");
}

MAYBE_UNUSED static void kcov_disable(struct kcov *kcov) {
  if (ioctl(kcov->fd, KCOV_DISABLE, 0))
    die("KCOV_DISABLE");
}

static inline void kcov_reset(struct kcov *kcov) {
  __atomic_store_n(&kcov->area[0], 0, __ATOMIC_RELAXED);
}

static inline uint64_t kcov_count(struct kcov *kcov) {
  return __atomic_load_n(&kcov->area[0], __ATOMIC_RELAXED);
}

MAYBE_UNUSED static int service_connect(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
    die("connect %s", path);
  return fd;
}

/* A request is a length (32 bits, little endian) and as many bytes; a reply is 32 bits. */
MAYBE_UNUSED static uint32_t service_request(int fd, const void *bytes, uint32_t length) {
  char buffer[65536];
  uint32_t reply;
  if (length > sizeof buffer - 4)
    die("a request of %u bytes is too long", length);
  memcpy(buffer, &length, 4);
  memcpy(buffer + 4, bytes, length);
  if (write(fd, buffer, length + 4) != (ssize_t)length + 4)
    die("write to the service");
  for (size_t got = 0; got < 4;) {
    ssize_t size = read(fd, (char *)&reply + got, 4 - got);
    if (size <= 0)
      die("read from the service");
    got += size;
  }
  return reply;
}

static inline double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

MAYBE_UNUSED static int compare_words(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Where a block is told each time that it runs, as the kernel does, REPEATED says so. */
MAYBE_UNUSED static int is_repeated(void) { return getenv("REPEATED") != NULL; }

/* Sorts PCs and keeps each once; returns how many those are. */
MAYBE_UNUSED static uint64_t sort_distinct(uint64_t *pcs, uint64_t n) {
  uint64_t kept = 0;
  qsort(pcs, n, sizeof *pcs, compare_words);
  for (uint64_t i = 0; i < n; i++)
    if (i == 0 || pcs[i] != pcs[i - 1])
      pcs[kept++] = pcs[i];
  return kept;
}
#endif
