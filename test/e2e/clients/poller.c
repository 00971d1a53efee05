/* poller KCOV SECONDS [SOCKET BYTE]
 *
 * Sends the service one request and does not wait for its answer; then reads the count again and again.
 * It does not reset it: what came between a read and the reset would be lost, as with any kcov. Prints, at the end, how many reads there were, how long the longest took in
 * ms, and all PCs that it saw, on one line: `reads 12 longest_ms 3 pcs 0x... 0x...`. */
#include "kcov.h"

#define WORDS (64 << 10)

int main(int argc, char **argv) {
  static uint64_t seen[WORDS];
  unsigned found = 0, reads = 0;
  double longest = 0;
  if (argc < 3)
    die("usage: poller KCOV SECONDS [SOCKET BYTE]");
  struct kcov kcov = kcov_open(argv[1], WORDS);
  kcov_enable(&kcov);
  kcov_reset(&kcov);
  printf("enabled\n");
  fflush(stdout);
  if (argc > 4) {
    char request[5] = {1, 0, 0, 0, atoi(argv[4])};
    if (write(service_connect(argv[3]), request, 5) != 5)
      die("write to the service");
  }
  double until = now_us() + atof(argv[2]) * 1e6;
  while (now_us() < until) {
    double began = now_us();
    uint64_t n = kcov_count(&kcov);
    double took = now_us() - began;
    longest = took > longest ? took : longest;
    reads++;
    for (uint64_t i = found + 1; i <= n && found < WORDS; i++)
      seen[found++] = kcov.area[i];
  }
  printf("reads %u longest_ms %.0f pcs", reads, longest / 1000);
  for (unsigned i = 0; i < found; i++)
    printf(" 0x%lx", seen[i]);
  printf("\n");
  return 0;
}
