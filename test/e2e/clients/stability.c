/* stability KCOV SOCKET INPUTS ROUNDS SETS
 *
 * Sends the service the 100 inputs INPUTS/000 to INPUTS/099, again and again in another order, and
 * reads which PCs each executes. They are compared with those of the file SETS, a line an input, and so
 * are the service's answers; if there is none, with what the input executed first, which is written
 * there. What comes before is a first pass, in which a service may do what it does once only.
 *
 * Prints a line for each input that did not always execute the same: its number, how often that was
 * so, and the PCs that were missing or in excess at any time; then `stable 99 of 100 us_per_take 1500.0`. */
#include "kcov.h"

#define INPUTS 100
/* The most of distinct ones that an input executes; where they are repeated, of all. */
#define WORDS (64 << 10)
#define REPEATED_WORDS (16 << 20)
#define LONGEST 65000

struct set {
  unsigned size;
  uint64_t *pcs;
};

static struct input {
  uint32_t length;
  char bytes[LONGEST];
  uint32_t answer;
  struct set expected, differing;
  unsigned differed;
} inputs[INPUTS];

static void load(const char *directory) {
  for (int i = 0; i < INPUTS; i++) {
    char name[4096];
    snprintf(name, sizeof name, "%s/%03d", directory, i);
    FILE *file = fopen(name, "r");
    if (!file)
      die("open %s", name);
    inputs[i].length = fread(inputs[i].bytes, 1, LONGEST, file);
    fclose(file);
  }
}

/* The PCs of one request, sorted; valid until the next. */
static struct set take(struct kcov *kcov, int service, struct input *input) {
  static uint64_t *pcs;
  if (!pcs)
    pcs = malloc(kcov->words * sizeof *pcs);
  kcov_reset(kcov);
  uint32_t answer = service_request(service, input->bytes, input->length);
  unsigned n = kcov_count(kcov);
  errno = 0;
  if (n == 0 || n >= kcov->words - 1)
    die("the count is %u", n);
  memcpy(pcs, kcov->area + 1, n * sizeof *pcs);
  unsigned distinct = sort_distinct(pcs, n);
  if (distinct < n && !is_repeated())
    die("%u PCs are there twice", n - distinct);
  if (input->answer && input->answer != answer + 1ul)
    die("the service answered %u, then %u", input->answer - 1, answer);
  input->answer = answer + 1;
  return (struct set){distinct, pcs};
}

static struct set copy(struct set set) {
  uint64_t *pcs = malloc(set.size * sizeof *pcs + 1);
  memcpy(pcs, set.pcs, set.size * sizeof *pcs);
  return (struct set){set.size, pcs};
}

static void add(struct set *set, uint64_t pc) {
  for (unsigned i = 0; i < set->size; i++)
    if (set->pcs[i] == pc)
      return;
  set->pcs = realloc(set->pcs, (set->size + 1) * sizeof pc);
  set->pcs[set->size++] = pc;
}

/* Notes the PCs that are in one of two sorted sets only. */
static void compare(struct input *input, struct set found) {
  struct set expected = input->expected;
  if (found.size == expected.size && !memcmp(found.pcs, expected.pcs, found.size * sizeof *found.pcs))
    return;
  input->differed++;
  for (unsigned i = 0, j = 0; i < found.size || j < expected.size;) {
    if (j == expected.size || (i < found.size && found.pcs[i] < expected.pcs[j]))
      add(&input->differing, found.pcs[i++]);
    else if (i == found.size || expected.pcs[j] < found.pcs[i])
      add(&input->differing, expected.pcs[j++]);
    else
      i++, j++;
  }
}

static int read_sets(const char *name) {
  static uint64_t pcs[WORDS];
  FILE *file = fopen(name, "r");
  if (!file)
    return 0;
  for (int i = 0; i < INPUTS; i++) {
    struct set set = {0, pcs};
    if (fscanf(file, "%u %u", &inputs[i].answer, &set.size) != 2 || set.size > WORDS)
      die("read %s", name);
    for (unsigned k = 0; k < set.size; k++)
      if (fscanf(file, "%lx", &pcs[k]) != 1)
        die("read %s", name);
    inputs[i].expected = copy(set);
  }
  fclose(file);
  return 1;
}

static void write_sets(const char *name) {
  FILE *file = fopen(name, "w");
  if (!file)
    die("open %s", name);
  for (int i = 0; i < INPUTS; i++) {
    fprintf(file, "%u %u", inputs[i].answer, inputs[i].expected.size);
    for (unsigned k = 0; k < inputs[i].expected.size; k++)
      fprintf(file, " 0x%lx", inputs[i].expected.pcs[k]);
    fputc('\n', file);
  }
  fclose(file);
}

static void shuffle(int *order) {
  static unsigned random = 42;
  for (int i = INPUTS - 1; i > 0; i--) {
    random = random * 1103515245u + 12345u;
    int other = (random >> 8) % (i + 1), input = order[i];
    order[i] = order[other], order[other] = input;
  }
}

static void report(double us) {
  int stable = 0;
  for (int i = 0; i < INPUTS; i++) {
    if (inputs[i].differed == 0) {
      stable++;
      continue;
    }
    printf("unstable %d times %u pcs", i, inputs[i].differed);
    for (unsigned k = 0; k < inputs[i].differing.size; k++)
      printf(" 0x%lx", inputs[i].differing.pcs[k]);
    printf("\n");
  }
  printf("stable %d of %d us_per_take %.1f\n", stable, INPUTS, us);
}

int main(int argc, char **argv) {
  int order[INPUTS];
  if (argc != 6)
    die("usage: stability KCOV SOCKET INPUTS ROUNDS SETS");
  load(argv[3]);
  int rounds = atoi(argv[4]), service = service_connect(argv[2]), is_known = read_sets(argv[5]);
  struct kcov kcov = kcov_open(argv[1], is_repeated() ? REPEATED_WORDS : WORDS);
  kcov_enable(&kcov);
  for (int i = 0; i < INPUTS; i++) {
    order[i] = i;
    take(&kcov, service, &inputs[i]);
  }
  double began = now_us();
  for (int round = 0; round < rounds; round++) {
    shuffle(order);
    for (int i = 0; i < INPUTS; i++) {
      struct input *input = &inputs[order[i]];
      struct set found = take(&kcov, service, input);
      if (round == 0 && !is_known)
        input->expected = copy(found);
      compare(input, found);
    }
  }
  double us = (now_us() - began) / (rounds * INPUTS);
  kcov_disable(&kcov);
  if (!is_known)
    write_sets(argv[5]);
  report(us);
  return 0;
}
