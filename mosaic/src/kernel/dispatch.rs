//! The same code compiled for several instruction sets, the best one that this machine has chosen at run time.

use super::lanes::{Masks, Portable};

/// Work that is worth compiling several times over. `run` and all that it calls must be `#[inline(always)]`: only
/// what is inlined is compiled for the wider instructions.
pub(super) trait Job {
    fn run<M: Masks>(self);
}

/// An instruction set; later ones are wider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// What the target promises: SSE2 on x86-64, NEON on aarch64.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    #[cfg(target_arch = "x86_64")]
    pub(super) const ALL: &[Self] = &[Self::Baseline, Self::Avx2, Self::Avx512];
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) const ALL: &[Self] = &[Self::Baseline];

    /// Whether this machine can run it. (The standard library asks the processor once and remembers.)
    pub(super) fn is_available(self) -> bool {
        match self {
            Self::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("popcnt")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
        }
    }

    /// The widest one that this machine has.
    pub(super) fn best() -> Self {
        Self::ALL.iter().rev().copied().find(|level| level.is_available()).unwrap_or(Self::Baseline)
    }

    /// Does the work with these instructions, or with the baseline's where this machine lacks them.
    pub(super) fn run<J: Job>(self, job: J) {
        if !self.is_available() {
            return job.run::<Portable>();
        }
        match self {
            Self::Baseline => job.run::<Portable>(),
            // SAFETY: the processor has just been asked.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2(job) },
            // SAFETY: the processor has just been asked.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512(job) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn avx2<J: Job>(job: J) {
    job.run::<Portable>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vl")]
fn avx512<J: Job>(job: J) {
    job.run::<super::lanes::Avx512>();
}
