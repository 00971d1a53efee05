/* ask KCOV [NUMBER...]
 *
 * For each line of its input, `BYTE SOCKET...`: resets, sends each of the services the byte, and prints
 * the PCs, ascending, each once, on one line. With numbers it enables by KCOV_REMOTE_ENABLE: the first is the
 * common handle's, the others are in the list. Says `enabled` first. */
#include "kcov.h"

#define WORDS (64 << 10)
#define MOST_SERVICES 16
struct kcov_remote_arg { uint32_t trace_mode, area_size, num_handles; uint64_t common_handle; };
#define KCOV_REMOTE_ENABLE _IOW('c', 102, struct kcov_remote_arg)
#define KCOV_SUBSYSTEM_USB (0x01ull << 56)

static void enable(struct kcov *kcov, char **numbers, int count) {
  struct { struct kcov_remote_arg head; uint64_t handles[16]; } arg = {{0, WORDS, 0, 0}, {0}};
  if (count == 0) {
    kcov_enable(kcov);
    return;
  }
  arg.head.common_handle = atoi(numbers[0]);
  for (int i = 1; i < count && i <= 16; i++)
    arg.handles[arg.head.num_handles++] = KCOV_SUBSYSTEM_USB | atoi(numbers[i]);
  if (ioctl(kcov->fd, KCOV_REMOTE_ENABLE, &arg))
    die("KCOV_REMOTE_ENABLE");
}

int main(int argc, char **argv) {
  static uint64_t pcs[WORDS];
  char line[4096];
  if (argc < 2)
    die("usage: ask KCOV [NUMBER...]");
  struct kcov kcov = kcov_open(argv[1], WORDS);
  enable(&kcov, argv + 2, argc - 2);
  printf("enabled\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    int services[MOST_SERVICES], count = 0;
    unsigned char byte = atoi(strtok(line, " \n"));
    kcov_reset(&kcov); /* before they accept, which is theirs to do */
    for (char *path; (path = strtok(NULL, " \n")) && count < MOST_SERVICES;)
      services[count++] = service_connect(path);
    for (int i = 0; i < count; i++)
      service_request(services[i], &byte, 1);
    uint64_t n = kcov_count(&kcov);
    memcpy(pcs, kcov.area + 1, n * sizeof *pcs);
    uint64_t distinct = sort_distinct(pcs, n);
    if (distinct < n && !is_repeated())
      die("%lu PCs are there twice", n - distinct);
    n = distinct;
    for (uint64_t i = 0; i < n; i++)
      printf("%s0x%lx", i ? " " : "", pcs[i]);
    printf("\n");
    fflush(stdout);
    for (int i = 0; i < count; i++)
      close(services[i]);
  }
  return 0;
}
