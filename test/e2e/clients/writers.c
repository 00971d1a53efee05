/* writers KCOV WORDS COUNT INSTANCES TOGGLES SOCKET...
 *
 * Has each of the services run a block of its own COUNT times, all at the same time, in rounds until the
 * input ends. So many instances are enabled all the time, by a thread each, and in each of them each
 * service's block must be there so many times, between words that are whole. As many threads as TOGGLES
 * says enable, reset and disable an instance of their own without end meanwhile.
 * Prints `ready` after the first round, and at last `rounds 20 words 800016 toggles 300`. */
#include "kcov.h"
#include <pthread.h>

#define MOST 16
#define LEARNING 1000

static const char *path;
static unsigned long words;
static uint32_t count;
static int services, instances, toggles;
static struct kcov kcovs[MOST];
static uint64_t pcs[MOST];
static pthread_barrier_t enabled, begin, end;
static volatile int is_over;

struct service {
  int connection;
  uint32_t number;
};

static void ask(struct service *service, uint32_t times) {
  uint32_t input[] = {service->number, times};
  if (service_request(service->connection, input, sizeof input) != times)
    die("the service has done something else");
}

static void *write_rounds(void *argument) {
  for (;;) {
    pthread_barrier_wait(&begin);
    if (is_over)
      return NULL;
    ask(argument, count);
    pthread_barrier_wait(&end);
  }
}

static void *own(void *argument) {
  kcov_enable(argument);
  pthread_barrier_wait(&enabled);
  pthread_barrier_wait(&begin);
  while (!is_over)
    pthread_barrier_wait(&end), pthread_barrier_wait(&begin);
  kcov_disable(argument);
  return NULL;
}

static void die_at(const char *what, uint64_t a, uint64_t b) {
  errno = 0;
  die("%s: %lu, 0x%lx", what, a, b);
}

/* Words that are no PC were never written, or half. */
static void check_whole(struct kcov *kcov, uint64_t n) {
  if (n >= kcov->words)
    die_at("the count", n, kcov->words);
  for (uint64_t i = 1; i <= n; i++)
    if (kcov->area[i] >> 31 != 0x1ffffffff || kcov->area[i] % 8)
      die_at("a word is no PC", i, kcov->area[i]);
}

static void *toggle(void *number) {
  struct kcov kcov = kcov_open(path, 1000 + (intptr_t)number);
  uint64_t turns = 0;
  for (; !is_over; turns++) {
    kcov_enable(&kcov);
    if (turns % 2 && ioctl(kcov.fd, KCOV_RESET_TRACE, 0))
      die("KCOV_RESET_TRACE");
    kcov_disable(&kcov);
    uint64_t n = kcov_count(&kcov);
    check_whole(&kcov, n);
    if (kcov_count(&kcov) != n)
      die_at("it is written while it is not enabled", kcov_count(&kcov), n);
    memset(kcov.area, 0, kcov.words * 8);
  }
  return (void *)turns;
}

static uint64_t times(struct kcov *kcov, uint64_t pc) {
  uint64_t found = 0;
  for (uint64_t i = 1, n = kcov_count(kcov); i <= n; i++)
    found += kcov->area[i] == pc;
  return found;
}

/* The PC that a service's step has, and no other's: the only one that is there so many times for it alone. */
static void learn(struct service *all) {
  struct kcov *kcov = &kcovs[0];
  uint64_t last[MOST][2] = {0};
  for (int s = 0; s < services; s++) {
    ask(&all[s], 3);
    kcov_reset(kcov);
    ask(&all[s], LEARNING);
    uint64_t n = kcov_count(kcov), found = 0;
    check_whole(kcov, n);
    for (uint64_t i = n; i > n - 8 && found < 2; i--)
      if (times(kcov, kcov->area[i]) == LEARNING && (!found || kcov->area[i] != last[s][0]))
        last[s][found++] = kcov->area[i];
    if (found != 2)
      die_at("a service has not run its block so many times", s, n);
  }
  for (int s = 0; s < services; s++) {
    int other = s ? 0 : 1, is_body = last[s][0] == last[other][0] || last[s][0] == last[other][1];
    pcs[s] = last[s][is_body];
  }
}

static void check(struct kcov *kcov) {
  check_whole(kcov, kcov_count(kcov));
  for (int s = 0; s < services; s++)
    if (times(kcov, pcs[s]) != count)
      die_at("a service's block was told so many times", times(kcov, pcs[s]), count);
}

static int is_more(void) {
  int more = fcntl(0, F_GETFL);
  char byte;
  fcntl(0, F_SETFL, more | O_NONBLOCK);
  return read(0, &byte, 1) < 0 && errno == EAGAIN;
}

int main(int argc, char **argv) {
  pthread_t threads[3 * MOST];
  struct service all[MOST];
  int started = 0, rounds = 0;
  uint64_t turns = 0;
  if (argc < 7)
    die("usage: writers KCOV WORDS COUNT INSTANCES TOGGLES SOCKET...");
  path = argv[1], words = strtoul(argv[2], NULL, 10), count = atoi(argv[3]);
  instances = atoi(argv[4]), toggles = atoi(argv[5]), services = argc - 6;
  pthread_barrier_init(&enabled, NULL, instances + 1);
  pthread_barrier_init(&begin, NULL, instances + services + 1);
  pthread_barrier_init(&end, NULL, instances + services + 1);
  for (int s = 0; s < services; s++)
    all[s] = (struct service){service_connect(argv[6 + s]), s};
  for (int i = 0; i < instances; i++) {
    kcovs[i] = kcov_open(path, words);
    pthread_create(&threads[started++], NULL, own, &kcovs[i]);
  }
  pthread_barrier_wait(&enabled);
  learn(all);
  for (int s = 0; s < services; s++)
    pthread_create(&threads[started++], NULL, write_rounds, &all[s]);
  for (intptr_t t = 0; t < toggles; t++)
    pthread_create(&threads[started++], NULL, toggle, (void *)t);
  for (; rounds < 3 || is_more(); rounds++) {
    for (int i = 0; i < instances; i++)
      kcov_reset(&kcovs[i]);
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&end);
    for (int i = 0; i < instances; i++)
      check(&kcovs[i]);
    if (rounds == 0)
      printf("ready\n"), fflush(stdout);
  }
  is_over = 1;
  uint64_t last = kcov_count(&kcovs[0]);
  pthread_barrier_wait(&begin);
  for (int t = 0; t < started; t++) {
    void *result;
    pthread_join(threads[t], &result);
    turns += t >= started - toggles ? (uint64_t)result : 0;
  }
  printf("rounds %d words %lu toggles %lu\n", rounds, last, turns);
  return 0;
}
