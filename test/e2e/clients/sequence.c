/* sequence KCOV SOCKET WORDS COUNT
 *
 * Has the service take so many steps in an order that both know, and checks every word of the area: what
 * comes before the steps, two blocks for each step, and what comes after, or as much of that as there is
 * room for. What a request with no step and each single step execute is learned first.
 * Prints `requests 8 words 1000009`. */
#include "kcov.h"

#define STEPS 64
#define MOST 64
#define REQUESTS 8

static int service;
static uint64_t around[MOST], step_pcs[STEPS], body;
static unsigned before, after;

static void die_at(const char *what, uint64_t a, uint64_t b) {
  errno = 0;
  die("%s: %lu, 0x%lx", what, a, b);
}

static uint32_t next(uint32_t x) { return x * 1103515245u + 12345u; }
static unsigned step_of(uint32_t x) { return x >> 16 & (STEPS - 1); }

static uint64_t ask(struct kcov *kcov, uint32_t seed, uint32_t count) {
  uint32_t input[] = {seed, count}, x = seed;
  kcov_reset(kcov);
  uint32_t answer = service_request(service, input, sizeof input);
  for (uint32_t i = 0; i < count; i++)
    x = next(x);
  if (answer != x)
    die_at("the service has taken other steps", answer, x);
  return kcov_count(kcov);
}

static void learn(const char *path) {
  struct kcov kcov = kcov_open(path, 1024);
  kcov_enable(&kcov);
  for (int warm = 0; warm < 3; warm++)
    ask(&kcov, 0, 5);
  uint64_t n = ask(&kcov, 0, 0);
  if (n < 2 || n > MOST)
    die_at("no step has this many blocks", n, 0);
  memcpy(around, kcov.area + 1, n * 8);
  uint64_t known = 0;
  for (uint32_t seed = 0; known != ~0ull; seed += 7919) {
    unsigned step = step_of(next(seed));
    if (known >> step & 1)
      continue;
    known |= 1ull << step;
    if (ask(&kcov, seed, 1) != n + 2)
      die_at("a step has not two blocks more", kcov_count(&kcov), n);
    for (before = 0; before < n && kcov.area[1 + before] == around[before];)
      before++;
    after = n - before;
    if (memcmp(kcov.area + 1 + before + 2, around + before, after * 8))
      die_at("what comes after a step differs", step, before);
    body = kcov.area[1 + before], step_pcs[step] = kcov.area[2 + before];
  }
  for (int step = 1; step < STEPS; step++)
    if (step_pcs[step] == step_pcs[0])
      die_at("steps have the same block", step, step_pcs[0]);
  kcov_disable(&kcov);
}

static void check(struct kcov *kcov, uint32_t seed, uint32_t count) {
  uint64_t whole = before + 2ull * count + after, room = kcov->words - 1, n = ask(kcov, seed, count);
  if (n != (whole < room ? whole : room))
    die_at("the count", n, whole);
  const volatile uint64_t *pcs = kcov->area + 1;
  uint32_t x = seed;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t in = i - before, steps = 2ull * count, expected;
    if (i < before)
      expected = around[i];
    else if (in >= steps)
      expected = around[before + in - steps];
    else if (in % 2 == 0)
      expected = body, x = next(x);
    else
      expected = step_pcs[step_of(x)];
    if (pcs[i] != expected)
      die_at("not in order", i, pcs[i]);
  }
}

int main(int argc, char **argv) {
  if (argc != 5)
    die("usage: sequence KCOV SOCKET WORDS COUNT");
  service = service_connect(argv[2]);
  learn(argv[1]);
  struct kcov kcov = kcov_open(argv[1], strtoul(argv[3], NULL, 10));
  kcov_enable(&kcov);
  for (int request = 0; request < REQUESTS; request++)
    check(&kcov, 12345 * request, atoi(argv[4]));
  printf("requests %d words %lu\n", REQUESTS, kcov_count(&kcov));
  kcov_disable(&kcov);
  return 0;
}
