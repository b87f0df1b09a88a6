#ifndef CONVERGENCE_VERSION_H_
#define CONVERGENCE_VERSION_H_

/* Versions of the release, of the C ABI and of the documents. Macros only, so that C89 hosts may include it. */

#define CVG_VERSION_MAJOR 0
#define CVG_VERSION_MINOR 1
#define CVG_VERSION_PATCH 0

/* Grows only when the C ABI breaks; it is the SONAME of libconvergence_c. */
#define CVG_ABI_VERSION 0

/* Documents carry "schema": N. This library writes CURRENT and reads OLDEST..CURRENT. */
#define CVG_SCHEMA_CURRENT 1
#define CVG_SCHEMA_OLDEST 1

#endif /* CONVERGENCE_VERSION_H_ */
