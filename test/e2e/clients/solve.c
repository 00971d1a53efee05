/* solve KCOV SOCKET LENGTH WANTED
 *
 * Finds an input of LENGTH bytes that the service answers with WANTED, by nothing but the comparisons that
 * it makes: where one side of a comparison is in the input, the other is put in its place, as syzkaller's
 * hints do. Prints how many requests that took. */
#include "kcov.h"

#define WORDS (64 << 10)
#define LONGEST 256
#define QUEUE 65536

static unsigned char queue[QUEUE][LONGEST];
static unsigned first, last;
static size_t length;

/* New inputs only. */
static void add(const unsigned char *input) {
  for (unsigned i = 0; i < last; i++)
    if (!memcmp(queue[i], input, length))
      return;
  if (last < QUEUE)
    memcpy(queue[last++], input, length);
}

/* In the machine's order, and in the other. */
static void replace(const unsigned char *input, uint64_t from, uint64_t to, size_t size) {
  for (int swapped = 0; swapped < 2; swapped++) {
    unsigned char a[8], b[8], changed[LONGEST];
    for (size_t i = 0; i < size; i++) {
      size_t at = swapped ? size - 1 - i : i;
      a[i] = from >> 8 * at;
      b[i] = to >> 8 * at;
    }
    for (size_t at = 0; at + size <= length; at++) {
      if (memcmp(input + at, a, size))
        continue;
      memcpy(changed, input, length);
      memcpy(changed + at, b, size);
      add(changed);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 5)
    die("usage: solve KCOV SOCKET LENGTH WANTED");
  struct kcov kcov = kcov_open(argv[1], WORDS);
  int service = service_connect(argv[2]);
  uint32_t wanted = atoi(argv[4]), reply = 0;
  unsigned requests = 0;
  length = atoi(argv[3]);
  if (length > LONGEST)
    die("an input of %zu bytes is too long", length);
  if (ioctl(kcov.fd, KCOV_ENABLE, KCOV_TRACE_CMP))
    die("KCOV_ENABLE");
  for (size_t i = 0; i < length; i++)
    queue[0][i] = 'A' + i;
  for (last = 1; first < last && reply != wanted; first++) {
    const unsigned char *input = queue[first];
    kcov_reset(&kcov);
    reply = service_request(service, input, length);
    requests++;
    uint64_t n = kcov_count(&kcov);
    for (uint64_t i = 0; i < n; i++) {
      const uint64_t *record = &kcov.area[1 + 4 * i];
      size_t size = 1 << (record[0] >> 1 & 3);
      replace(input, record[2], record[1], size);
      /* Which of two that the program computes is the input's nobody knows. */
      if (!(record[0] & 1))
        replace(input, record[1], record[2], size);
    }
  }
  if (reply != wanted)
    die("no input found in %u requests", requests);
  kcov_disable(&kcov);
  printf("%u requests\n", requests);
  return 0;
}
