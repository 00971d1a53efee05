/* killer KCOV COMMAND...
 *
 * Starts COMMAND, which answers each line on its standard input with one on its standard output. Has it
 * answer 1, reads the count; has it answer 2, kills it, and reads the count again. Prints for each read
 * how long it took in ms, and the PCs: `3 0xffffffff80001000 ...`. With REPEATED each is printed once. */
#include "kcov.h"
#include <signal.h>

#define WORDS (1 << 20)

static void ask(int to, int from, char number) {
  char line[2] = {number, '\n'}, answer;
  if (write(to, line, 2) != 2)
    die("write to the command");
  do
    if (read(from, &answer, 1) != 1)
      die("read from the command");
  while (answer != '\n');
}

static void print(struct kcov *kcov) {
  static uint64_t pcs[WORDS];
  double began = now_us();
  uint64_t n = kcov_count(kcov);
  printf("%.0f", (now_us() - began) / 1000);
  memcpy(pcs, kcov->area + 1, n * sizeof *pcs);
  if (is_repeated())
    n = sort_distinct(pcs, n);
  for (uint64_t i = 0; i < n; i++)
    printf(" 0x%lx", pcs[i]);
  printf("\n");
}

int main(int argc, char **argv) {
  int to[2], from[2], status;
  if (argc < 3)
    die("usage: killer KCOV COMMAND...");
  struct kcov kcov = kcov_open(argv[1], WORDS);
  kcov_enable(&kcov);
  if (pipe(to) || pipe(from))
    die("pipe");
  pid_t child = fork();
  if (child == 0) {
    dup2(to[0], 0), dup2(from[1], 1);
    close(to[1]), close(from[0]);
    execvp(argv[2], argv + 2);
    die("exec %s", argv[2]);
  }
  kcov_reset(&kcov);
  ask(to[1], from[0], '1');
  print(&kcov);
  kcov_reset(&kcov);
  ask(to[1], from[0], '2');
  kill(child, SIGKILL);
  if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
    die("the command was not killed");
  print(&kcov);
  kcov_disable(&kcov);
  return 0;
}
