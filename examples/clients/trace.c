/* trace SOCKET FILE
 *
 * The loop of the kernel's manual (Documentation/dev-tools/kcov.rst) around one request to a service:
 * prints the PCs that it executed. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_DISABLE _IO('c', 101)
#define COVER_SIZE (64 << 10)

#define KCOV_TRACE_PC 0

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof address))
    fail(path);
  return fd;
}

static void request(int service, const char *message, uint32_t length) {
  uint32_t reply;
  if (write(service, &length, 4) != 4 || write(service, message, length) != (ssize_t)length)
    fail("write");
  if (recv(service, &reply, 4, MSG_WAITALL) != 4)
    fail("read");
}

int main(int argc, char **argv) {
  char message[4096];
  uint64_t *cover, n, i;

  if (argc != 3) {
    fprintf(stderr, "usage: trace SOCKET FILE\n");
    return 2;
  }
  FILE *file = fopen(argv[2], "r");
  if (!file)
    fail(argv[2]);
  size_t length = fread(message, 1, sizeof message, file);
  int service = connect_to(argv[1]);

  const char *kcov = getenv("KCOV");
  int fd = open(kcov ? kcov : "/sys/kernel/debug/kcov", O_RDWR);
  if (fd == -1)
    fail("open kcov");
  /* Setup trace mode and trace size. */
  if (ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
    fail("KCOV_INIT_TRACE");
  /* Mmap buffer shared between kernel- and user-space. */
  cover = mmap(NULL, COVER_SIZE * sizeof *cover, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (cover == MAP_FAILED)
    fail("mmap");
  /* Enable coverage collection on the current thread. */
  if (ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    fail("KCOV_ENABLE");
  /* Reset coverage from the tail of the ioctl() call. */
  __atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
  /* Here the manual calls read(-1, NULL, 0). */
  request(service, message, length);
  /* Read number of PCs collected. */
  n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED);
  for (i = 0; i < n; i++)
    printf("0x%lx\n", cover[i + 1]);
  /* Disable coverage collection for the current thread. */
  if (ioctl(fd, KCOV_DISABLE, 0))
    fail("KCOV_DISABLE");
  return 0;
}
