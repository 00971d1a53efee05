/* watched KCOV SOCKET WORDS LOOPS
 *
 * The closed loop, so often, for those who watch; 0 for until it is ended. A request that nobody traces
 * comes first. Prints `executions 300 pcs 9000 full 0 count 30`, what it has read in all and at last,
 * and keeps what it has enabled until its input ends. */
#include "kcov.h"

int main(int argc, char **argv) {
  if (argc != 5)
    die("usage: watched KCOV SOCKET WORDS LOOPS");
  int service = service_connect(argv[2]), loops = atoi(argv[4]);
  unsigned char path = 0;
  service_request(service, &path, 1);
  struct kcov kcov = kcov_open(argv[1], strtoul(argv[3], NULL, 10));
  kcov_enable(&kcov);
  uint64_t pcs = 0, full = 0, count = 0;
  for (int loop = 0; loop < loops || loops == 0; loop++) {
    kcov_reset(&kcov);
    path = loop % 64;
    service_request(service, &path, 1);
    count = kcov_count(&kcov);
    pcs += count;
    full += count == kcov.words - 1;
  }
  printf("executions %d pcs %lu full %lu count %lu\n", loops, pcs, full, count);
  fflush(stdout);
  while (getchar() != EOF)
    ;
  return 0;
}
