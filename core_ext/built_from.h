/* Leaves the digest of a kernel's sources in its built module; setup.py defines it, tests/house looks for it. */
#ifndef CORE_EXT_BUILT_FROM_H
#define CORE_EXT_BUILT_FROM_H
__attribute__((used)) static const char core_ext_built_from[] = "core_ext built from " CORE_EXT_BUILT_FROM;
#endif
