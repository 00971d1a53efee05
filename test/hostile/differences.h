/* Where a file of FUSE cannot, or shall not, equal the device of kernel/kcov.c: all of it, with reasons. */
#ifndef DIFFERENCES_H
#define DIFFERENCES_H
#include "hostile.h"

enum difference {
  UNIQUE, EXPANSION, SYNC, SYNC_OF_MEMORY, REMOVAL, READING, SPLICING, SEEKING, WRITING, TRUNCATING, CHANGING, TOUCHING,
  FLAGS, ATTRIBUTES, GIVING, REOPENING, CREATING, DIFFERENCES
};

struct difference_row {
  const char *call, *kernel;
  /* Up to -1; 0 is success. */
  int here[5];
  const char *reason;
};

extern const struct difference_row differences[DIFFERENCES];
void expect_difference(struct outcome outcome, enum difference difference);

#endif
