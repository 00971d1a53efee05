/* spinner KCOV ROUNDS
 *
 * For a target that runs the same blocks again and again: has two instances enabled in turn. What is
 * enabled fills; what is not stays as it was, while the other fills. Prints `rounds 100 blocks 3`: how
 * many distinct PCs there were. */
#include "kcov.h"

#define WORDS 4096

/* Until the area is full, which no other blocks may ever fill again: the target never does anything else. */
static void wait_until_full(struct kcov *kcov) {
  double until = now_us() + 60e6;
  while (kcov_count(kcov) < WORDS - 1)
    if (now_us() > until) {
      errno = 0;
      die("the count is %lu after a minute", kcov_count(kcov));
    }
}

int main(int argc, char **argv) {
  static uint64_t pcs[2 * WORDS];
  uint64_t distinct = 0;
  if (argc != 3)
    die("usage: spinner KCOV ROUNDS");
  struct kcov turns[] = {kcov_open(argv[1], WORDS), kcov_open(argv[1], WORDS)};
  for (int round = 0; round < atoi(argv[2]); round++) {
    struct kcov *mine = &turns[round % 2], *other = &turns[1 - round % 2];
    kcov_reset(mine);
    kcov_enable(mine);
    wait_until_full(mine);
    kcov_disable(mine);
    for (int word = 0; word < WORDS; word++) {
      if (word > 0 && mine->area[word] >> 32 != 0xffffffff)
        die("word %d is 0x%lx", word, mine->area[word]);
      if (other->area[word])
        die("an instance that is not enabled has word %d 0x%lx", word, other->area[word]);
    }
    memcpy(pcs + distinct, mine->area + 1, (WORDS - 1) * 8);
    distinct = sort_distinct(pcs, distinct + WORDS - 1);
    if (distinct > WORDS)
      die("there are %lu PCs", distinct);
    memset(mine->area, 0, WORDS * 8);
  }
  printf("rounds %s blocks %lu\n", argv[2], distinct);
  return 0;
}
