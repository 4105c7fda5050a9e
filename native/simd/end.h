// Closes the region that simd/<isa>.h opened.
#ifdef SN_REGION_OPEN
#undef SN_REGION_OPEN
#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#ifdef SN_DIAGNOSTIC_OPEN
#undef SN_DIAGNOSTIC_OPEN
#pragma GCC diagnostic pop
#endif
#endif
#endif
