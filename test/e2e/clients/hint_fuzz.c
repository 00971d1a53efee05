/* hint_fuzz KCOV SOCKET MOST SEED [blind]
 *
 * A small fuzzer: it keeps inputs that reach blocks, or reach them as often as no other did. Those, and what
 * hints have made, it runs once more for their comparisons, by which it mutates; blind, it does without.
 * Prints after how many requests the service answered 2. */
#include "../../../bridges/hints.h"
#include "kcov.h"

#define WORDS (256 << 10)
#define LONGEST 64
#define MOST_INPUTS 1024
#define FEATURES (1 << 20)

struct input {
  size_t size;
  uint8_t bytes[LONGEST];
};

static struct hints hints;
static struct input inputs[MOST_INPUTS];
static unsigned count, requests;
static uint8_t seen[FEATURES];
static struct kcov kcov;
static int service, is_blind;
static uint64_t state = 1;

static uint32_t draw(void) {
  state = state * 6364136223846793005 + 1442695040888963407;
  return state >> 33;
}

static uint32_t run(const struct input *input, int mode) {
  if (ioctl(kcov.fd, KCOV_ENABLE, mode))
    die("KCOV_ENABLE");
  kcov_reset(&kcov);
  uint32_t reply = service_request(service, input->bytes, input->size);
  requests++;
  kcov_disable(&kcov);
  return reply;
}

/* A block and how often it ran. */
static int has_new(void) {
  uint64_t n = kcov_count(&kcov);
  int is_new = 0;
  qsort(kcov.area + 1, n, sizeof *kcov.area, compare_words);
  for (uint64_t i = 1, times = 1; i <= n; i++, times++) {
    if (i < n && kcov.area[i] == kcov.area[i + 1])
      continue;
    size_t feature = (kcov.area[i] / 8 * 31 + (times < 16 ? times : 16)) % FEATURES;
    is_new |= !seen[feature];
    seen[feature] = 1;
    times = 0;
  }
  return is_new;
}

static void keep(const struct input *input) {
  if (count == MOST_INPUTS)
    die("too many inputs");
  inputs[count++] = *input;
}

/* Returns whether the input has come further. */
static int compare(const struct input *input, int has_found) {
  uint64_t start = now_us();
  if (!hints_worthwhile(&hints, input->bytes, input->size, has_found, start))
    return 0;
  run(input, KCOV_TRACE_CMP);
  int is_further = hints_add(&hints, kcov.area) > 0;
  hints_spent(&hints, start, now_us());
  return is_further;
}

/* Returns whether hints have made it. */
static int mutate(struct input *input) {
  if (!is_blind && draw() % 4) {
    size_t size = hints_mutate(&hints, input->bytes, input->size, LONGEST, draw());
    if (size) {
      input->size = size;
      return 1;
    }
  }
  for (unsigned times = 1 + draw() % 3; times > 0; times--) {
    size_t at = draw() % input->size;
    uint8_t *byte = &input->bytes[at];
    switch (draw() % 4) {
    case 0:
      *byte = draw();
      break;
    case 1:
      *byte ^= 1 << draw() % 8;
      break;
    case 2:
      if (input->size == LONGEST)
        break;
      memmove(byte + 1, byte, input->size++ - at);
      *byte = draw();
      break;
    default:
      if (input->size > 1)
        memmove(byte, byte + 1, --input->size - at);
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 5)
    die("usage: hint_fuzz KCOV SOCKET MOST SEED [blind]");
  unsigned most = atoi(argv[3]);
  struct input input = {.size = 12, .bytes = "abcdefghijkl"};
  uint32_t reply = 0;
  kcov = kcov_open(argv[1], WORDS);
  service = service_connect(argv[2]);
  is_blind = argc > 5;
  state = atoi(argv[4]);
  hints_init(&hints, state);
  /* How much the time allows for would differ each time. */
  hints_set_share(&hints, 1000);
  int is_hinted = 0;
  while (requests < most && (reply = run(&input, KCOV_TRACE_PC)) != 2) {
    int has_found = has_new();
    int is_compared = !is_blind && (has_found || is_hinted);
    if ((is_compared && compare(&input, has_found)) || has_found)
      keep(&input);
    /* The newest as often as all others. */
    input = inputs[draw() % 2 ? count - 1 : draw() % count];
    is_hinted = mutate(&input);
  }
  if (reply != 2)
    die("not found in %u requests, with %u inputs", requests, count);
  printf("%u requests\n", requests);
  return 0;
}
