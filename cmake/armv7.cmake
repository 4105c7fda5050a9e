# Debian's cross compiler for 32-bit ARM: g++-arm-linux-gnueabihf. Its default baseline is armv7-a, hard float, VFPv3
# with 16 registers; NEON comes by pragma, in simd/neon.h.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(CMAKE_CXX_COMPILER arm-linux-gnueabihf-g++)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
