// How many primes there are below a number.
const limit = Number(process.argv[2]);
const sieve = new Uint8Array(limit);
let count = 0;
for (let n = 2; n < limit; n++) {
  if (sieve[n]) continue;
  count++;
  for (let multiple = n * n; multiple < limit; multiple += n) sieve[multiple] = 1;
}
process.stdout.write(`${count} primes below ${limit}`);
