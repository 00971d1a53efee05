/* mutate [-b] [-r SEED] [-t SECONDS] [-s SYMBOLS] [-f FILE] SOCKET MESSAGE...
 *
 * A small coverage-guided fuzzer: sends a service mutations of what reached new code, starting
 * with the files MESSAGE..., until a reply says that the service failed.
 *
 * -b  blind: mutates the given messages only, whatever they reach
 * -r  seed of the random numbers
 * -t  gives up after so long
 * -s  a file of symbols: a PC in hex on one line, its place on the next
 * -f  focus: prints the new places in this file only, and spends most of the time on inputs
 *     that reached some */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0
#define COVER_SIZE (64 << 10)

#define LONGEST 64
#define MOST_INPUTS 4096
#define MOST_PCS (1 << 18)
#define FAILED 0xffffffff

static int is_blind, seconds = 60;
static const char *symbols, *focus;

static int service;
static uint64_t *cover;

struct input {
  uint32_t length;
  uint8_t bytes[LONGEST];
};
static struct {
  struct input input;
  unsigned tries;
  int is_focused;
} corpus[MOST_INPUTS];
static unsigned inputs, seeds, executions, blocks;

/* An open hash table: every PC seen so far, and its place if that is known. */
static struct {
  uint64_t pc;
  char *place;
  int is_seen;
} table[MOST_PCS];

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static unsigned slot_of(uint64_t pc) {
  unsigned slot = (pc >> 3) * 2654435761u % MOST_PCS;
  while (table[slot].pc && table[slot].pc != pc)
    slot = (slot + 1) % MOST_PCS;
  table[slot].pc = pc;
  return slot;
}

static void read_symbols(void) {
  char pc[64], place[4096];
  FILE *file = fopen(symbols, "r");
  if (!file)
    fail(symbols);
  while (fgets(pc, sizeof pc, file) && fgets(place, sizeof place, file)) {
    place[strcspn(place, ",\n")] = 0;
    table[slot_of(strtoull(pc, NULL, 16))].place = strdup(place);
  }
  fclose(file);
}

static void open_kcov(void) {
  const char *path = getenv("KCOV");
  int fd = open(path ? path : "/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
  if (fd == -1 || ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE))
    fail("kcov");
  cover = mmap(NULL, COVER_SIZE * sizeof *cover, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
    fail("kcov");
}

static void connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  service = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  if (service == -1 || connect(service, (struct sockaddr *)&address, sizeof address))
    fail(path);
}

static uint32_t request(const struct input *input) {
  uint32_t reply;
  ssize_t size = 4 + input->length;
  if (write(service, input, size) != size || recv(service, &reply, 4, MSG_WAITALL) != 4)
    fail("the service");
  return reply;
}

static void print_place(uint64_t pc, const char *place) {
  if (place)
    printf("  %s", strrchr(place, '/') ? strrchr(place, '/') + 1 : place);
  else
    printf("  0x%lx", pc);
}

/* Sends an input; one that reaches new code joins the corpus. */
static uint32_t execute(const struct input *input) {
  unsigned fresh = 0, focused = 0;
  __atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
  uint32_t reply = request(input);
  uint64_t n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED);
  executions++;
  /* The code of the first input is measured by now, so it has symbols. */
  if (executions == 1 && symbols)
    read_symbols();
  for (uint64_t i = 1; i <= n; i++) {
    unsigned slot = slot_of(cover[i]);
    if (table[slot].is_seen)
      continue;
    table[slot].is_seen = 1;
    fresh++;
    if (focus && !(table[slot].place && strstr(table[slot].place, focus)))
      continue;
    if (executions > seeds && focused++ == 0)
      printf("%9u executions", executions);
    if (executions > seeds)
      print_place(cover[i], table[slot].place);
  }
  if (executions > seeds && focused)
    putchar('\n');
  if (executions <= seeds || (fresh && !is_blind && inputs < MOST_INPUTS)) {
    corpus[inputs].input = *input;
    corpus[inputs++].is_focused = focused > 0 || executions <= seeds;
  }
  blocks += fresh;
  return reply;
}

static uint64_t random_state = 5;

/* xorshift64* */
static unsigned below(unsigned limit) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (random_state * 0x2545f4914f6cdd1dull >> 33) % limit;
}

/* In turns what came in last (new code is often next to new code) and what was tried least. */
static struct input next_input(void) {
  int is_focused = below(4) > 0, is_last = below(3) == 0;
  unsigned next = 0;
  for (unsigned i = 0; i < inputs; i++)
    if (corpus[i].is_focused >= is_focused && (is_last || corpus[i].tries < corpus[next].tries))
      next = i;
  corpus[next].tries++;
  return corpus[next].input;
}

static struct input mutation(void) {
  static const uint8_t special[] = {0, 1, 2, 4, 8, 16, 32, 64, 127, 128, 255, '(', ' ', '"'};
  struct input input = next_input();
  const struct input *other = &corpus[below(inputs)].input;
  do {
    unsigned at = input.length ? below(input.length) : 0;
    uint8_t *byte = &input.bytes[at];
    switch (input.length ? below(10) : 0) {
    case 0:
      if (input.length < LONGEST) {
        memmove(byte + 1, byte, input.length++ - at);
        *byte = ' ' + below(95);
      }
      break;
    case 1:
      memmove(byte, byte + 1, --input.length - at);
      break;
    case 2:
      if (other->length > at)
        *byte = other->bytes[at];
      break;
    case 3:
    case 4:
      *byte += below(2) ? 1 + below(4) : -1 - below(4);
      break;
    case 5:
    case 6:
      *byte ^= 1 << below(8);
      break;
    case 7:
      *byte = special[below(sizeof special)];
      break;
    default:
      *byte = below(256);
    }
  } while (below(2));
  return input;
}

static void print_input(const struct input *input) {
  for (unsigned i = 0; i < input->length; i++)
    if (input->bytes[i] >= ' ' && input->bytes[i] <= '~' && input->bytes[i] != '\\')
      putchar(input->bytes[i]);
    else
      printf("\\x%02x", input->bytes[i]);
  putchar('\n');
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  struct input input;
  for (int option; (option = getopt(argc, argv, "br:t:s:f:")) != -1;)
    switch (option) {
    case 'b': is_blind = 1; break;
    case 'r': random_state = strtoull(optarg, NULL, 0) | 1; break;
    case 't': seconds = atoi(optarg); break;
    case 's': symbols = optarg; break;
    case 'f': focus = optarg; break;
    default: return 2;
    }
  if (argc - optind < 2) {
    fprintf(stderr, "usage: mutate [-b] [-r SEED] [-t SECONDS] [-s SYMBOLS] [-f FILE] "
                    "SOCKET MESSAGE...\n");
    return 2;
  }
  setlinebuf(stdout);
  connect_to(argv[optind++]);
  open_kcov();
  for (seeds = argc - optind; optind < argc; optind++) {
    FILE *file = fopen(argv[optind], "r");
    if (!file)
      fail(argv[optind]);
    input.length = fread(input.bytes, 1, LONGEST, file);
    fclose(file);
    execute(&input);
  }
  printf("%9u executions  %u blocks, by the messages given\n", executions, blocks);
  double began = now();
  uint32_t reply = 0;
  while (reply != FAILED && now() - began < seconds) {
    input = mutation();
    reply = execute(&input);
  }
  printf("%9u executions  %u blocks, by %u inputs, in %.1f s\n", executions, blocks, inputs,
         now() - began);
  if (reply != FAILED)
    return 1;
  printf("The service fails on: ");
  print_input(&input);
  return 0;
}
