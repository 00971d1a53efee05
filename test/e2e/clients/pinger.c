/* pinger SOCKET REQUESTS: asks the service so many times, and says so. */
#include "kcov.h"

int main(int argc, char **argv) {
  if (argc != 3)
    die("usage: pinger SOCKET REQUESTS");
  int service = service_connect(argv[1]), requests = atoi(argv[2]);
  for (int i = 0; i < requests; i++) {
    unsigned char byte = i;
    service_request(service, &byte, 1);
  }
  printf("%d answers\n", requests);
  return 0;
}
