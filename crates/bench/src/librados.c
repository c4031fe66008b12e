/* Monitor commands through librados, measured as `axon-bench command` measures Axon's own client. Compiled and run by
 * `cargo xtask bench command`; the library is opened at run time, so no development package is needed.
 *
 * Arguments: CONF KEYRING MODE IN_FLIGHT SECONDS COUNT CONNECTS COMMAND. Prints one JSON object. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef void *rados_t;
static int (*create)(rados_t *, const char *, const char *, unsigned long);
static int (*conf_read_file)(rados_t, const char *);
static int (*conf_set)(rados_t, const char *, const char *);
static int (*rados_connect_)(rados_t);
static void (*rados_shutdown_)(rados_t);
static int (*mon_command)(rados_t, const char **, size_t, const char *, size_t, char **, size_t *, char **, size_t *);
static void (*buffer_free)(char *);

/* Every allocation of the process passes here. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
static atomic_ulong allocations, allocated;
static void counted(size_t n) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&allocated, n, memory_order_relaxed);
}
void *malloc(size_t n) { counted(n); return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { counted(n * m); return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { counted(n); return __libc_realloc(p, n); }
void *memalign(size_t a, size_t n) { counted(n); return __libc_memalign(a, n); }
void *aligned_alloc(size_t a, size_t n) { counted(n); return __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) {
  counted(n);
  *p = __libc_memalign(a, n);
  return *p ? 0 : 12;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static const char *conf, *keyring, *mode, *command;
static rados_t cluster;
static atomic_long left, answered, failed, answer_bytes;
static double until;

static rados_t made(void) {
  rados_t made = NULL;
  if (create(&made, "ceph", "client.admin", 0) < 0 || conf_read_file(made, conf) < 0) exit(2);
  conf_set(made, "keyring", keyring);
  conf_set(made, "ms_mon_client_mode", mode);
  conf_set(made, "ms_client_mode", mode);
  return made;
}

static int once(void) {
  const char *cmd[] = {command};
  char *out = NULL, *status = NULL;
  size_t out_len = 0, status_len = 0;
  int r = mon_command(cluster, cmd, 1, NULL, 0, &out, &out_len, &status, &status_len);
  atomic_store(&answer_bytes, (long)out_len);
  if (out) buffer_free(out);
  if (status) buffer_free(status);
  return r;
}

static void *work(void *unused) {
  (void)unused;
  while (atomic_fetch_sub(&left, 1) > 0 && now() < until) {
    if (once() < 0) atomic_fetch_add(&failed, 1);
    atomic_fetch_add(&answered, 1);
  }
  return NULL;
}

static int by_size(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return d < 0 ? -1 : d > 0;
}

int main(int argc, char **argv) {
  if (argc != 9) return 2;
  conf = argv[1], keyring = argv[2], mode = argv[3], command = argv[8];
  int in_flight = atoi(argv[4]), connects = atoi(argv[7]);
  double seconds = atof(argv[5]);
  long count = atol(argv[6]);
  void *lib = dlopen("librados.so.2", RTLD_NOW);
  if (!lib) return fprintf(stderr, "%s\n", dlerror()), 2;
  *(void **)&create = dlsym(lib, "rados_create2");
  *(void **)&conf_read_file = dlsym(lib, "rados_conf_read_file");
  *(void **)&conf_set = dlsym(lib, "rados_conf_set");
  *(void **)&rados_connect_ = dlsym(lib, "rados_connect");
  *(void **)&rados_shutdown_ = dlsym(lib, "rados_shutdown");
  *(void **)&mon_command = dlsym(lib, "rados_mon_command");
  *(void **)&buffer_free = dlsym(lib, "rados_buffer_free");

  double times[1000];
  if (connects > 1000) connects = 1000;
  for (int i = 0; i < connects; i++) {
    rados_t c = made();
    double begun = now();
    if (rados_connect_(c) < 0) return 3;
    times[i] = now() - begun;
    rados_shutdown_(c);
  }
  qsort(times, connects, sizeof *times, by_size);

  cluster = made();
  if (rados_connect_(cluster) < 0) return 3;
  for (int i = 0; i < 50; i++) once();
  atomic_store(&left, count > 0 ? count : 1L << 60);
  until = now() + (count > 0 ? 1e9 : seconds);
  pthread_t threads[256];
  unsigned long allocations_before = allocations, allocated_before = allocated;
  double begun = now(), cpu_before = cpu();
  for (int i = 0; i < in_flight; i++) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < in_flight; i++) pthread_join(threads[i], NULL);
  double took = now() - begun, cpu_used = cpu() - cpu_before;
  long n = answered;
  if (n == 0) return 4;
  printf("{\"commands\": %ld, \"failed\": %ld, \"per_sec\": %.0f, \"cpu_usec\": %.2f, \"allocations\": %.2f, "
         "\"allocated_bytes\": %.0f, \"answer_bytes\": %ld, \"connect_ms\": %.3f}\n",
         n, (long)failed, n / took, cpu_used * 1e6 / n, (double)(allocations - allocations_before) / n,
         (double)(allocated - allocated_before) / n, (long)answer_bytes,
         connects ? times[connects / 2] * 1e3 : 0.0);
  return 0;
}
