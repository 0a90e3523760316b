/* kernel.h once for every element type and instruction set; PANEL is set by the caller. */

#define SURVEY 0
#define REAL float
#define SMALL FLOAT_SMALL
#define SMALL_EXPONENT FLOAT_SMALL_EXPONENT
#ifdef X86
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,bmi,bmi2,fma,popcnt")))
#define PEXT _pext_u64
#define VECTOR_BYTES 64
#define VARIANT float_avx512
#include "kernel.h"
#undef VARIANT
#undef TARGET
#undef VECTOR_BYTES
#define TARGET __attribute__((target("avx2,bmi,bmi2,fma,popcnt")))
#define VECTOR_BYTES 32
#define VARIANT float_avx2
#include "kernel.h"
#undef VARIANT
#undef TARGET
#undef VECTOR_BYTES
#undef PEXT
#endif
#define TARGET
#define PEXT soft_pext
#define VECTOR_BYTES 16
#define VARIANT float_plain
#include "kernel.h"
#undef VARIANT
#undef TARGET
#undef VECTOR_BYTES
#undef PEXT
#undef REAL
#undef SMALL
#undef SMALL_EXPONENT
#undef SURVEY

#define SURVEY 1
#define REAL double
#define SMALL DOUBLE_SMALL
#define SMALL_EXPONENT DOUBLE_SMALL_EXPONENT
#ifdef X86
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,bmi,bmi2,fma,popcnt")))
#define PEXT _pext_u64
#define VECTOR_BYTES 64
#define VARIANT double_avx512
#include "kernel.h"
#undef VARIANT
#undef TARGET
#undef VECTOR_BYTES
#define TARGET __attribute__((target("avx2,bmi,bmi2,fma,popcnt")))
#define VECTOR_BYTES 32
#define VARIANT double_avx2
#include "kernel.h"
#undef VARIANT
#undef TARGET
#undef VECTOR_BYTES
#undef PEXT
#endif
#define TARGET
#define PEXT soft_pext
#define VECTOR_BYTES 16
#define VARIANT double_plain
#include "kernel.h"
#undef VARIANT
#undef TARGET
#undef VECTOR_BYTES
#undef PEXT
#undef REAL
#undef SMALL
#undef SMALL_EXPONENT
#undef SURVEY
