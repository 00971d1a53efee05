/* closed_loop KCOV|- SOCKET INPUT REQUESTS
 *
 * The loop of the kernel's manual: reset, send the service the input, read the count and the PCs. With
 * `-` for KCOV the same without coverage. Prints the median, the mean and how many PCs there were. */
#include "../test/e2e/clients/kcov.h"

#define WORDS (256 << 10)

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  static char input[60000];
  if (argc != 5)
    die("usage: closed_loop KCOV|- SOCKET INPUT REQUESTS");
  int isTraced = strcmp(argv[1], "-"), requests = atoi(argv[4]);
  int file = open(argv[3], O_RDONLY), length = read(file, input, sizeof input);
  if (length < 0)
    die("read %s", argv[3]);
  int service = service_connect(argv[2]);
  struct kcov kcov = {0};
  if (isTraced) {
    kcov = kcov_open(argv[1], WORDS);
    kcov_enable(&kcov);
  }
  double *times = calloc(requests, sizeof *times), sum = 0;
  uint64_t pcs = 0, hash = 0;
  for (int i = -20; i < requests; i++) {
    double began = now_us();
    if (isTraced)
      kcov_reset(&kcov);
    service_request(service, input, length);
    if (isTraced) {
      uint64_t n = kcov_count(&kcov);
      for (uint64_t j = 1; j <= n; j++)
        hash += kcov.area[j];
      pcs = n;
    }
    if (i >= 0)
      sum += times[i] = now_us() - began;
  }
  qsort(times, requests, sizeof *times, compare_doubles);
  printf("median %.1f mean %.1f pcs %lu hash %lx\n", times[requests / 2], sum / requests, pcs, hash);
  return 0;
}
