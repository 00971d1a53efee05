/* same_program KCOV
 *
 * A client that is enabled until it is ended, and resets its area each millisecond: probes write all the
 * time. Prints `enabled`. */
#include "../test/e2e/clients/kcov.h"

int main(int argc, char **argv) {
  if (argc != 2)
    die("usage: same_program KCOV");
  struct kcov kcov = kcov_open(argv[1], 64 << 10);
  kcov_enable(&kcov);
  puts("enabled");
  fflush(stdout);
  for (;;) {
    kcov_reset(&kcov);
    usleep(1000);
  }
}
