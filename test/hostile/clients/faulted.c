/* faulted KCOV SOCKET PROGRESS [PINGS]
 *
 * The closed loop, until SIGTERM: reset a word, ask the service for one of 16 paths, read which blocks
 * ran. What a path executes is learned first; then every read must be exactly that. Others may end or stop
 * meanwhile: PROGRESS, a file that is made, says what was done until then, as 64-bit words:
 *
 *     [0] 1: learning, 2: in the loop, 3: it has ended by itself   [1] requests   [2] wrong reads
 *     [3] when the last request was read (CLOCK_MONOTONIC, ns)     [4] ns that the longest took
 *     [8 + 4i] begin, [9 + 4i] end, [10 + 4i] missing, [11 + 4i] additional blocks of wrong read i
 *
 * It ends with status 0; with 3 when the service is gone; with 1 and a line for any other errno.
 * With PINGS it only asks the service so many times, without kcov. */
#include "../../e2e/clients/kcov.h"
#include <signal.h>

#define PATHS 16
#define WORDS 8192
#define MOST_WRONG 500
#define SERVICE_IS_GONE 3

static volatile sig_atomic_t is_told_to_end;
static volatile uint64_t *progress;
static uint64_t learned[PATHS][WORDS], counts[PATHS];

static void on_end(int number) {
  (void)number;
  is_told_to_end = 1;
}

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static int transfer(int fd, void *bytes, size_t length, int is_read) {
  for (size_t done = 0; done < length;) {
    char *at = (char *)bytes + done;
    ssize_t size = is_read ? recv(fd, at, length - done, 0)
                           : send(fd, at, length - done, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      return 0;
    done += size;
  }
  return 1;
}

/* Asks for a path and checks the answer. */
static void ask(int service, unsigned char path) {
  unsigned char request[] = {1, 0, 0, 0, path};
  uint32_t reply;
  if (!transfer(service, request, sizeof request, 0) || !transfer(service, &reply, sizeof reply, 1))
    exit(SERVICE_IS_GONE);
  errno = 0;
  if (reply != path)
    die("the service has answered %u for path %d", reply, path);
}

/* The distinct PCs of one request, sorted. */
static uint64_t take(struct kcov *kcov, int service, int path, uint64_t *into) {
  kcov_reset(kcov);
  ask(service, path);
  uint64_t n = kcov_count(kcov);
  if (n >= WORDS)
    errno = 0, die("the count is %lu", n);
  memcpy(into, (const void *)(kcov->area + 1), n * sizeof *into);
  return sort_distinct(into, n);
}

/* How many of the words in `a` are not in `b`. */
static uint64_t lacking(const uint64_t *a, uint64_t n, const uint64_t *b, uint64_t m) {
  uint64_t lacks = 0;
  for (uint64_t i = 0; i < n; i++)
    lacks += !bsearch(&a[i], b, m, sizeof *a, compare_words);
  return lacks;
}

static void note(uint64_t began, uint64_t ended, uint64_t missing, uint64_t additional) {
  uint64_t number = progress[2];
  if (number < MOST_WRONG) {
    volatile uint64_t *at = progress + 8 + 4 * number;
    at[0] = began, at[1] = ended, at[2] = missing, at[3] = additional;
  }
  progress[2] = number + 1;
}

static void loop(struct kcov *kcov, int service) {
  static uint64_t pcs[WORDS];
  unsigned random = getpid();
  for (int path = 0; path < PATHS; path++)
    take(kcov, service, path, pcs);
  for (int path = 0; path < PATHS; path++)
    counts[path] = take(kcov, service, path, learned[path]);
  progress[0] = 2;
  while (!is_told_to_end) {
    random = random * 1103515245u + 12345u;
    int path = (random >> 16) % PATHS;
    uint64_t began = now_ns(), n = take(kcov, service, path, pcs), ended = now_ns();
    uint64_t missing = lacking(learned[path], counts[path], pcs, n);
    uint64_t additional = lacking(pcs, n, learned[path], counts[path]);
    if (missing || additional)
      note(began, ended, missing, additional);
    progress[4] = ended - began > progress[4] ? ended - began : progress[4];
    progress[3] = ended;
    // Nobody is to be kept from the processor by what only waits for something to happen.
    if (++progress[1] % 16 == 0)
      usleep(2000);
  }
}

int main(int argc, char **argv) {
  if (argc < 4)
    die("usage: faulted KCOV SOCKET PROGRESS [PINGS]");
  int service = service_connect(argv[2]);
  if (argc > 4) {
    for (int i = 0; i < atoi(argv[4]); i++)
      ask(service, i % PATHS);
    return 0;
  }
  size_t size = (8 + 4 * MOST_WRONG) * sizeof *progress;
  int fd = open(argv[3], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, size))
    die("open %s", argv[3]);
  progress = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (progress == MAP_FAILED)
    die("mmap %s", argv[3]);
  progress[0] = 1;
  struct sigaction action = {.sa_handler = on_end, .sa_flags = SA_RESTART};
  sigaction(SIGTERM, &action, NULL);
  struct kcov kcov = kcov_open(argv[1], WORDS);
  kcov_enable(&kcov);
  loop(&kcov, service);
  kcov_disable(&kcov);
  close(kcov.fd);
  progress[0] = 3;
  return 0;
}
