/* The launcher: sets the limits that no field of a pod sets, and becomes the job's program. launch.py holds it compiled,
 * and says how.
 *
 *   launch PROCESSES FILES FILE_BYTES KEEPER PROGRAM [ARGUMENT...]
 *
 * The kernel counts processes by user, and others of this user may run in the pod: its placeholder, and what keeps the
 * output. They are counted first, by the smallest limit at which a process can be started, and added to PROCESSES. If
 * one can be started at a limit of 1, the kernel does not limit processes here, and the program does not start. With 0
 * for PROCESSES, they are not limited.
 *
 * With 1 for KEEPER, it opens the kernel's counters of the container's memory, CPU time and processes, and sends them
 * to the keeper beside the job, through an abstract socket of the pod's network. Opened files show this container's
 * counters wherever they are read. If no keeper listens within ten seconds, they are not sent, and a keeper that listens
 * later takes none. It connects even if it can open no counter, as the keeper takes one connection: the program's would
 * be the first otherwise. And it connects before it limits files, so that this cannot fail.
 *
 * Then it filters system calls. Its file ends with two filters and their sizes in bytes, four bytes each: one for
 * version 2 of cgroups, and one for version 1, which does not count what waits in sockets of the network as memory.
 *
 * No library is linked, so that it runs in any image of its processor.
 */

typedef unsigned long word;
enum { READ = 0, WRITE = 1, OPEN = 2, SEEK = 8, NANOSLEEP = 35, SOCKET = 41, CONNECT = 42, SENDMSG = 46 };
enum { FORK = 57, EXECVE = 59, EXIT = 60, WAIT4 = 61, PRCTL = 157, PRLIMIT = 302 };
enum { RLIMIT_FSIZE = 1, RLIMIT_CORE = 4, RLIMIT_NPROC = 6, RLIMIT_NOFILE = 7 };
enum { ENOENT = 2, ENOEXEC = 8, EACCES = 13, ENOTDIR = 20 };
enum { READ_ONLY = 0, UNIX = 1, SEQUENCE = 5, CLOSE_ON_EXEC = 02000000, RIGHTS = 1, SOCKET_LEVEL = 1 };
enum { COUNTERS = 3, TRIES = 500, PAUSE_NS = 20000000 };
enum { WRITE_ONLY = 1, MOST_OTHERS = 64, NOT_LIMITED = 125, NOT_RUNNABLE = 126, NOT_FOUND = 127 };
enum { NO_NEW_PRIVILEGES = 38, FILTER_CALLS = 22, BY_PROGRAM = 2, FROM_END = 2, MOST_FILTER_BYTES = 8192 };
#define UNLIMITED (~0UL)

static long call(word number, word a, word b, word c, word d)
{
    long result;
    register word fourth __asm__("r10") = d;
    register word fifth __asm__("r8") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return result;
}

static word length(const char *text)
{
    word count = 0;
    while (text[count])
        count++;
    return count;
}

static char *append(char *end, const char *limit, const char *text)
{
    while (*text && end < limit)
        *end++ = *text++;
    return end;
}

/* On the error stream, and where the kubelet reads a container's last words. */
static void fail(const char *program, const char *reason, int code)
{
    char text[512], *end = text, *limit = text + sizeof text - 1;
    end = append(end, limit, "exec: \"");
    end = append(end, limit - 80, program);
    end = append(end, limit, "\": ");
    end = append(end, limit, reason);
    *end++ = '\n';
    call(WRITE, 2, (word)text, end - text, 0);
    long file = call(OPEN, (word) "/dev/termination-log", WRITE_ONLY, 0, 0);
    if (file >= 0)
        call(WRITE, file, (word)text, end - text, 0);
    call(EXIT, code, 0, 0, 0);
}

static word number(const char *text)
{
    word value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + (*text++ - '0');
    return value;
}

static long limit_to(word resource, word soft, word hard)
{
    word both[2] = {soft, hard};
    return call(PRLIMIT, 0, resource, (word)both, 0);
}

static void limit_processes(const char *program, word most)
{
    word hard[2];
    if (call(PRLIMIT, 0, RLIMIT_NPROC, 0, (word)hard) < 0)
        fail(program, "the limit on processes cannot be read", NOT_LIMITED);
    for (word tried = 1; tried <= MOST_OTHERS; tried++) {
        if (limit_to(RLIMIT_NPROC, tried, hard[1]) < 0)
            break;
        long child = call(FORK, 0, 0, 0, 0);
        if (child == 0)
            call(EXIT, 0, 0, 0, 0);
        if (child < 0)
            continue;
        call(WAIT4, child, 0, 0, 0);
        word total = tried - 2 + most; /* `tried` is one more than there are, of which one is this process */
        if (tried > 1 && limit_to(RLIMIT_NPROC, total, total) >= 0)
            return;
        break;
    }
    fail(program, "this node does not limit processes", NOT_LIMITED);
}

/* For each counter, where it is with version 2 of cgroups, then with version 1. The first byte tells the keeper which. */
static const char *const counters[][2] = {
    {"m/sys/fs/cgroup/memory.peak", "m/sys/fs/cgroup/memory/memory.max_usage_in_bytes"},
    {"c/sys/fs/cgroup/cpu.stat", "n/sys/fs/cgroup/cpuacct/cpuacct.usage"},
    {"p/sys/fs/cgroup/pids.peak", "p/sys/fs/cgroup/pids/pids.current"},
};
static const struct {
    unsigned short family;
    char name[12]; /* whose first byte is 0, so that it is no path */
} keeper = {UNIX, "\0palio-usage"};

static void send_counters(void)
{
    struct {
        word size;
        int level, type, files[COUNTERS];
    } rights = {16, SOCKET_LEVEL, RIGHTS, {0}};
    char kinds[COUNTERS];
    word count = 0;
    for (word each = 0; each < COUNTERS; each++)
        for (word version = 0; version < 2; version++) {
            const char *name = counters[each][version];
            long file = call(OPEN, (word)(name + 1), READ_ONLY | CLOSE_ON_EXEC, 0, 0);
            if (file < 0)
                continue;
            kinds[count] = name[0];
            rights.files[count++] = (int)file;
            break;
        }
    rights.size += count * sizeof(int);
    struct {
        void *content;
        word size;
    } part = {kinds, count};
    struct {
        void *name;
        word name_size;
        void *parts;
        word part_count;
        void *control;
        word control_size, flags;
    } message = {0, 0, &part, 1, &rights, rights.size, 0};
    long to = call(SOCKET, UNIX, SEQUENCE | CLOSE_ON_EXEC, 0, 0);
    word pause[2] = {0, PAUSE_NS};
    for (word tried = 0; to >= 0 && tried < TRIES; tried++) {
        if (call(CONNECT, to, (word)&keeper, 2 + sizeof keeper.name, 0) >= 0) {
            if (count)
                call(SENDMSG, to, (word)&message, 0, 0);
            break;
        }
        call(NANOSLEEP, (word)pause, 0, 0, 0);
    }
}

static int has_first_version(void)
{
    return call(OPEN, (word) "/sys/fs/cgroup/memory/memory.limit_in_bytes", READ_ONLY | CLOSE_ON_EXEC, 0, 0) >= 0;
}

static void filter_calls(const char *program)
{
    unsigned int sizes[2] = {0, 0}; /* for version 2 of cgroups, and for version 1 */
    char filter[MOST_FILTER_BYTES];
    long file = call(OPEN, (word) "/proc/self/exe", READ_ONLY | CLOSE_ON_EXEC, 0, 0);
    call(SEEK, file, -(word)sizeof sizes, FROM_END, 0);
    call(READ, file, (word)sizes, sizeof sizes, 0);
    int first = has_first_version();
    word size = sizes[first], back = sizeof sizes + sizes[1] + (first ? 0 : size);
    struct {
        word count;
        char *steps;
    } given = {size / 8, filter};
    if (size && size <= sizeof filter && call(SEEK, file, -back, FROM_END, 0) >= 0
        && call(READ, file, (word)filter, size, 0) == (long)size && call(PRCTL, NO_NEW_PRIVILEGES, 1, 0, 0) >= 0
        && call(PRCTL, FILTER_CALLS, BY_PROGRAM, (word)&given, 0) >= 0)
        return;
    fail(program, "this node does not filter system calls", NOT_LIMITED);
}

static void become(char **command, char **environment)
{
    const char *name = command[0], *reason = "executable file not found in $PATH";
    const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    long error = -ENOENT, other = 0;
    int has_slash = 0;
    for (const char *each = name; *each; each++)
        has_slash |= *each == '/';
    for (char **each = environment; *each; each++)
        if ((*each)[0] == 'P' && (*each)[1] == 'A' && (*each)[2] == 'T' && (*each)[3] == 'H' && (*each)[4] == '=')
            path = *each + 5;
    if (has_slash) {
        error = call(EXECVE, (word)name, (word)command, (word)environment, 0);
        reason = "no such file or directory";
    } else {
        char file[4096];
        while (*name) {
            word folder = 0;
            while (path[folder] && path[folder] != ':')
                folder++;
            if (folder && folder + length(name) + 2 < sizeof file) {
                char *end = file, *limit = file + sizeof file - 1;
                for (word each = 0; each < folder; each++)
                    *end++ = path[each];
                *end++ = '/';
                *append(end, limit, name) = 0;
                error = call(EXECVE, (word)file, (word)command, (word)environment, 0);
                if (error != -ENOENT && error != -ENOTDIR)
                    other = error;
            }
            if (!path[folder])
                break;
            path += folder + 1;
        }
        error = other ? other : error;
    }
    if (error == -EACCES)
        reason = "permission denied";
    else if (error == -ENOEXEC)
        reason = "exec format error";
    else if (error != -ENOENT && error != -ENOTDIR)
        reason = "it cannot be executed";
    fail(name, reason, error == -ENOENT || error == -ENOTDIR ? NOT_FOUND : NOT_RUNNABLE);
}

__attribute__((used)) static void launch(word *stack)
{
    word count = stack[0];
    char **arguments = (char **)(stack + 1), **environment = arguments + count + 1;
    if (count < 6)
        call(EXIT, 2, 0, 0, 0);
    word processes = number(arguments[1]);
    if (processes)
        limit_processes(arguments[5], processes);
    if (number(arguments[4]))
        send_counters();
    filter_calls(arguments[5]);
    word files = number(arguments[2]), bytes = number(arguments[3]);
    if (limit_to(RLIMIT_NOFILE, files, files) < 0 || limit_to(RLIMIT_FSIZE, bytes, bytes) < 0 || limit_to(RLIMIT_CORE, 0, 0) < 0)
        fail(arguments[5], "this node does not limit files", NOT_LIMITED);
    become(arguments + 5, environment);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall launch\n");
