/* gather KCOV
 *
 * Has an instance enabled, says `enabled`, and reads what was executed once its input has ended: each PC
 * once, on one line. */
#include "../../e2e/clients/kcov.h"

#define WORDS (4 << 20)

int main(int argc, char **argv) {
  char byte;
  if (argc != 2)
    die("usage: gather KCOV");
  struct kcov kcov = kcov_open(argv[1], WORDS);
  kcov_enable(&kcov);
  kcov_reset(&kcov);
  printf("enabled\n");
  fflush(stdout);
  while (read(0, &byte, 1) > 0)
    ;
  uint64_t n = kcov_count(&kcov);
  if (n >= WORDS - 1)
    die("the area is full");
  uint64_t *pcs = malloc((n + 1) * sizeof *pcs);
  memcpy(pcs, kcov.area + 1, n * sizeof *pcs);
  n = sort_distinct(pcs, n);
  for (uint64_t i = 0; i < n; i++)
    printf("%s0x%lx", i ? " " : "", pcs[i]);
  printf("\n");
  kcov_disable(&kcov);
  return 0;
}
