// Prints how many primes there are up to a limit, by the sieve of Eratosthenes. Needs no file but itself.
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words) {
  long limit = count > 1 ? strtol(words[1], NULL, 10) : 1000000;
  if (limit < 2 || limit > 1000000000) {
    fprintf(stderr, "primes: the limit goes from 2 to 1000000000\n");
    return 2;
  }
  char *composite = calloc((size_t)limit + 1, 1);
  if (composite == NULL) {
    fprintf(stderr, "primes: no memory for a limit of %ld\n", limit);
    return 1;
  }
  long found = 0;
  for (long n = 2; n <= limit; n++) {
    if (composite[n]) continue;
    found++;
    for (long multiple = n * n; multiple <= limit; multiple += n) composite[multiple] = 1;
  }
  printf("%ld primes up to %ld\n", found, limit);
  free(composite);
  return 0;
}
