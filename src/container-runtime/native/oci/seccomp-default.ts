// The default seccomp profile of containers as data: the allow-list that Docker and containerd publish (moby/profiles,
// seccomp/default.json; containerd, contrib/seccomp). Other calls fail with EPERM; a rule with capabilities requires
// one of them.

export interface SeccompRule {
  /** System calls, separated by spaces. */
  readonly names: string;
  readonly action?: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errno?: number;
  readonly arguments?: readonly SeccompArgument[];
  /** Names without CAP_. */
  readonly withCapability?: string;
  readonly withoutCapability?: string;
  /** Node's names of processor architectures (process.arch). */
  readonly architectures?: readonly string[];
  readonly notArchitectures?: readonly string[];
}

interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_LT' | 'SCMP_CMP_GT' | 'SCMP_CMP_MASKED_EQ';
}

/** By process.arch; the 32-bit calls of the same machine count as well. */
export const seccompArchitectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
  ppc64: ['SCMP_ARCH_PPC64LE'],
  riscv64: ['SCMP_ARCH_RISCV64'],
  loong64: ['SCMP_ARCH_LOONGARCH64'],
};

const equals = (value: number): readonly SeccompArgument[] => [{ index: 0, value, op: 'SCMP_CMP_EQ' }];

/** Every flag of clone(2) that makes a namespace. */
const newNamespaces = 0x7e020000;

export const seccompRules: readonly SeccompRule[] = [
  {
    names: `accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime
      clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
      clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
      epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
      exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2
      fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat
      fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait
      futex_waitv futex_wake futimesat getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid
      getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom
      getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt
      get_thread_area gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init
      inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents io_pgetevents_time64
      ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule landlock_create_ruleset
      landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr
      _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret
      mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open
      mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget
      msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat
      openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64
      prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read
      readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr
      removexattrat rename renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending
      rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
      rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
      sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
      sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64
      send sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
      setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid
      setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address
      setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask
      sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync
      sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
      timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
      timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime
      utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
      process_vm_readv process_vm_writev ptrace`,
  },
  // All families but ALG (38), the kernel's cryptography, and VSOCK (40), which leads out of a virtual machine. Few
  // rules, because a runtime compiles each for every architecture at each start.
  { names: 'socket', arguments: [{ index: 0, value: 38, op: 'SCMP_CMP_LT' }] },
  { names: 'socket', arguments: [{ index: 0, value: 39, op: 'SCMP_CMP_EQ' }] },
  { names: 'socket', arguments: [{ index: 0, value: 40, op: 'SCMP_CMP_GT' }] },
  ...[0, 8, 0x20000, 0x20008, 0xffffffff].map(
    (value): SeccompRule => ({ names: 'personality', arguments: equals(value) }),
  ),
  { names: 'sync_file_range2 swapcontext', architectures: ['ppc64'] },
  {
    names: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
    architectures: ['arm', 'arm64'],
  },
  { names: 'arch_prctl modify_ldt', architectures: ['x64'] },
  { names: 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr', architectures: ['s390x'] },
  { names: 'riscv_flush_icache', architectures: ['riscv64'] },
  { names: 'open_by_handle_at', withCapability: 'DAC_READ_SEARCH' },
  {
    names: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
      lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd
      setdomainname sethostname setns syslog umount umount2 unshare`,
    withCapability: 'SYS_ADMIN',
  },
  {
    names: 'clone',
    arguments: [{ index: 0, value: newNamespaces, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    withoutCapability: 'SYS_ADMIN',
    notArchitectures: ['s390x'],
  },
  {
    names: 'clone',
    arguments: [{ index: 1, value: newNamespaces, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    withoutCapability: 'SYS_ADMIN',
    architectures: ['s390x'],
  },
  // Its flags are behind a pointer, which no filter sees; ENOSYS makes the C library use clone instead.
  { names: 'clone3', action: 'SCMP_ACT_ERRNO', errno: 38, withoutCapability: 'SYS_ADMIN' },
  { names: 'reboot', withCapability: 'SYS_BOOT' },
  { names: 'chroot', withCapability: 'SYS_CHROOT' },
  { names: 'delete_module init_module finit_module', withCapability: 'SYS_MODULE' },
  { names: 'acct', withCapability: 'SYS_PACCT' },
  { names: 'kcmp pidfd_getfd process_madvise', withCapability: 'SYS_PTRACE' },
  { names: 'iopl ioperm', withCapability: 'SYS_RAWIO' },
  { names: 'settimeofday stime clock_settime clock_settime64', withCapability: 'SYS_TIME' },
  { names: 'vhangup', withCapability: 'SYS_TTY_CONFIG' },
  { names: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node', withCapability: 'SYS_NICE' },
  { names: 'syslog', withCapability: 'SYSLOG' },
  { names: 'bpf', withCapability: 'BPF' },
  { names: 'perf_event_open', withCapability: 'PERFMON' },
];
