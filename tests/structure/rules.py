"""What architecture.md's drawing forbids, as data. A layer not named here is impure and may use nothing special."""

# Same input, same bytes out: no clock, thread, random number, environment, socket or file.
PURE_LAYERS = ("base", "model", "codec", "import", "filter", "chain", "lint", "canary", "counters", "plan", "agent", "memory_state")

# Third-party headers that layers keep to themselves: prefix of the include -> layers.
PRIVATE_PACKAGES = {
    "rapidjson/": ("codec",),
    "curl/": ("transport", "node"),
    "event2/": ("memory",),
    "event.h": ("memory",),
    "evhttp.h": ("memory",),
    "re2/": ("base",),
    "yaml-cpp/": ("import",),
    "openssl/": ("node",),
    "archive.h": ("node",),
    "archive_entry.h": ("node",),
}

# Never, anywhere in ours: hash order differs from run to run, and Debian's absl::Mutex is opaque to the thread sanitizer.
FORBIDDEN_EVERYWHERE = ("absl/synchronization/", "absl/container/flat_hash", "absl/container/node_hash")

# Includes that no file reached by a pure layer may have.
FORBIDDEN_IN_PURE = FORBIDDEN_EVERYWHERE + (
    "absl/time/clock.h", "absl/random/", "arpa/", "barrier", "condition_variable", "ctime", "fcntl.h", "filesystem",
    "fstream", "future", "iostream", "latch", "mutex", "netdb.h", "netinet/", "poll.h", "pthread.h", "random",
    "semaphore", "shared_mutex", "signal.h", "stop_token", "sys/", "syncstream", "thread", "time.h", "unistd.h",
    "unordered_map", "unordered_set")

# Public headers are what a host has to have too: only the standard library and a little of abseil.
FORBIDDEN_IN_PUBLIC = FORBIDDEN_EVERYWHERE + tuple(PRIVATE_PACKAGES) + ("fmt/", "lib/", "capi/", "examples/", "tests/")

# Which layers the folders beside lib/ may reach; through the public headers they reach none.
OUTER_FOLDERS = {"capi": {"codec", "model", "base"}, "examples": set()}

# Undefined symbols, demangled, that no object of a pure layer may have: whole names, and beginnings.
FORBIDDEN_FUNCTIONS = frozenset("""
    time clock clock_gettime gettimeofday localtime localtime_r gmtime strftime timespec_get nanosleep usleep sleep
    pthread_create pthread_mutex_lock pthread_cond_wait thrd_create
    rand rand_r srand random srandom drand48 lrand48 arc4random getrandom getentropy
    getenv secure_getenv setenv
    socket connect bind listen accept accept4 send sendto recv recvfrom getaddrinfo gethostname poll select epoll_create1
    open open64 openat fopen fopen64 freopen read write close unlink rename remove mkdir opendir stat tmpfile mmap
    fork vfork execv execve execvp posix_spawn system popen getpid kill signal
    printf puts putchar fwrite fputs stdout stderr
""".split())
FORBIDDEN_PREFIXES = (
    "std::chrono::_V2::system_clock::now", "std::chrono::_V2::steady_clock::now", "std::thread::", "std::random_device::",
    "std::condition_variable", "std::basic_ifstream", "std::basic_ofstream", "std::basic_fstream", "std::basic_filebuf",
    "std::filesystem::", "std::cout", "std::cerr", "std::clog", "std::cin", "std::this_thread::", "std::__basic_future",
    "curl_", "event_", "evhttp_")
# abseil's own, whatever inline namespace the distribution gives it.
FORBIDDEN_ABSEIL = r"^absl::(\w+::)?(Now\(|GetCurrentTimeNanos\(|SleepFor\(|Mutex::|CondVar::|BitGen)"
