/* short_lived KCOV ROUNDS PARALLEL COMMAND...
 *
 * Starts COMMAND with a number behind it, PARALLEL of them at a time, waits until they have exited, and
 * reads what they executed. Prints, for each round, the numbers, the exit statuses as a shell tells
 * them, the longest time in ms that a read took, and the PCs: `7,8 0,0 3 0xffffffff80001000 ...`. With
 * REPEATED each is printed once. */
#include "kcov.h"

/* Enough for what another client's service repeats meanwhile. */
#define WORDS (32 << 20)
#define NUMBERS 64
#define MOST 16

static pid_t start(char **command, int length, int number) {
  pid_t child = fork();
  if (child)
    return child;
  char **arguments = calloc(length + 2, sizeof *arguments), text[16];
  memcpy(arguments, command, length * sizeof *arguments);
  snprintf(text, sizeof text, "%d", number);
  arguments[length] = text;
  execvp(arguments[0], arguments);
  die("exec %s", arguments[0]);
  return -1;
}

static int status_of(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child)
    die("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  if (argc < 5)
    die("usage: short_lived KCOV ROUNDS PARALLEL COMMAND...");
  int rounds = atoi(argv[2]), parallel = atoi(argv[3]), number = 0;
  pid_t children[MOST];
  uint64_t *pcs = malloc(WORDS * sizeof *pcs);
  struct kcov kcov = kcov_open(argv[1], WORDS);
  kcov_enable(&kcov);
  for (int round = 0; round < rounds; round++) {
    kcov_reset(&kcov);
    for (int i = 0; i < parallel; i++) {
      printf("%s%d", i ? "," : "", number);
      fflush(stdout);
      children[i] = start(argv + 4, argc - 4, number);
      number = (number + 1) % NUMBERS;
    }
    for (int i = 0; i < parallel; i++)
      printf("%c%d", i ? ',' : ' ', status_of(children[i]));
    double began = now_us();
    uint64_t n = kcov_count(&kcov);
    printf(" %.0f", (now_us() - began) / 1000);
    if (n >= WORDS - 1)
      die("the area is full");
    memcpy(pcs, kcov.area + 1, n * sizeof *pcs);
    if (is_repeated())
      n = sort_distinct(pcs, n);
    for (uint64_t i = 0; i < n; i++)
      printf(" 0x%lx", pcs[i]);
    printf("\n");
  }
  kcov_disable(&kcov);
  return 0;
}
