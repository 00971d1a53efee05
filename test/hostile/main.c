/* hostile --mount DIR --seed N --calls N [--workers N] [--arenas N] [--only WORKER] [--seconds N] [--duration N]
 *         [--comparisons] [--direct] [--target NAME --number N --service SOCKET] [--without KIND,KIND] [--trace]
 *
 * Makes random calls on the kcov device that is mounted on DIR, so many a worker or as many as it can in a number of
 * seconds, and compares what comes out with a model of kernel/kcov.c. A call that takes longer than `--seconds` is one
 * that hangs. The last workers are arenas: see arena.c. Exits with 0, or with 1 and what differed, and the calls that
 * led to it. The same seed makes the same calls. */
#include "hostile.h"
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

struct options options = {.workers = 1, .only = -1, .seconds = 30, .seed = 1, .calls = 1000, .without = ""};

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

int is_over(void) {
  static long began;
  if (began == 0)
    began = now();
  return options.duration > 0 && now() - began >= options.duration;
}

static const char *value(char **arguments, const char *name) {
  if (strcmp(arguments[0], name) != 0)
    return NULL;
  if (!arguments[1]) {
    fprintf(stderr, "%s needs a value\n", name);
    exit(2);
  }
  return arguments[1];
}

static void parse(char **arguments) {
  const char *text;
  for (; *arguments; arguments++) {
    if (!strcmp(*arguments, "--comparisons")) options.compares = 1;
    else if (!strcmp(*arguments, "--direct")) options.direct = 1;
    else if (!strcmp(*arguments, "--trace")) options.trace = 1;
    else if ((text = value(arguments, "--mount"))) options.mount = text, arguments++;
    else if ((text = value(arguments, "--seed"))) options.seed = strtoull(text, NULL, 0), arguments++;
    else if ((text = value(arguments, "--calls"))) options.calls = strtoull(text, NULL, 0), arguments++;
    else if ((text = value(arguments, "--workers"))) options.workers = atoi(text), arguments++;
    else if ((text = value(arguments, "--arenas"))) options.arenas = atoi(text), arguments++;
    else if ((text = value(arguments, "--only"))) options.only = atoi(text), arguments++;
    else if ((text = value(arguments, "--seconds"))) options.seconds = atoi(text), arguments++;
    else if ((text = value(arguments, "--duration"))) options.duration = atoi(text), arguments++;
    else if ((text = value(arguments, "--target"))) options.target = text, arguments++;
    else if ((text = value(arguments, "--number"))) options.number = atol(text), arguments++;
    else if ((text = value(arguments, "--service"))) options.service = text, arguments++;
    else if ((text = value(arguments, "--without"))) options.without = text, arguments++;
    else {
      fprintf(stderr, "Cannot read %s\n", *arguments);
      exit(2);
    }
  }
}

/* A worker tells of a call that hangs; of one that hangs itself, this tells. */
static int await_workers(pid_t workers[], struct progress *progress) {
  uint64_t seen[options.workers];
  long since[options.workers];
  int failed = 0, left = 0, status;
  for (int i = 0; i < options.workers; i++)
    left += workers[i] > 0, seen[i] = 0, since[i] = now();
  for (; left > 0; usleep(20000))
    for (int i = 0; i < options.workers; i++) {
      if (workers[i] <= 0)
        continue;
      if (progress[i].calls != seen[i])
        seen[i] = progress[i].calls, since[i] = now();
      int hangs = now() - since[i] > 2 * options.seconds;
      if (hangs)
        fprintf(stderr, "seed %lu, worker %d: nothing has happened for %ld s\n", options.seed, i, now() - since[i]);
      else if (waitpid(workers[i], &status, WNOHANG) != workers[i])
        continue;
      if (hangs)
        kill(workers[i], SIGKILL);
      failed |= hangs || status != 0;
      workers[i] = 0, left--;
    }
  return failed;
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "--actor")) {
    start_actor();
    serve(&SHARED->slots[atoi(argv[2])]);
  }
  /* A traced child becomes this. */
  if (argc == 2 && !strcmp(argv[1], "--nothing"))
    return 0;
  parse(argv + 1);
  if (!options.mount) {
    fprintf(stderr, "Cannot begin: --mount is missing\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct progress *progress = mmap(NULL, sizeof *progress * options.workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  is_over();
  pid_t workers[options.workers];
  for (int i = 0; i < options.workers; i++) {
    workers[i] = options.only < 0 || options.only == i ? fork() : 0;
    if (workers[i] == 0 && (options.only < 0 || options.only == i))
      work(i, &progress[i]);
  }
  int failed = await_workers(workers, progress);
  uint64_t calls = 0;
  for (int i = 0; i < options.workers; i++)
    calls += progress[i].calls;
  printf("%lu calls\n", calls);
  return failed;
}
