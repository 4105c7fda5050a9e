# The sources of the core and of the addon, for both builds: binding.gyp files include this, CMakeLists.txt reads the two
# lists from it. Keep one quoted path a line. scripts/test-native.cjs fails for a file that is in neither list.
{
  'variables': {
    'core_files': [
      'core/cpu_features.cc',
      'kernels/dwconv/dwconv_avx2.cc',
      'kernels/dwconv/dwconv_avx512.cc',
      'kernels/dwconv/dwconv_neon.cc',
      'kernels/dwconv/dwconv_scalar.cc',
      'kernels/dwconv/pack.cc',
      'kernels/elementwise/elementwise.cc',
      'kernels/elementwise/elementwise_avx2.cc',
      'kernels/elementwise/elementwise_avx512.cc',
      'kernels/elementwise/elementwise_neon.cc',
      'kernels/elementwise/elementwise_scalar.cc',
      'kernels/kernels.cc',
      'kernels/pool/pool_avx2.cc',
      'kernels/pool/pool_avx512.cc',
      'kernels/pool/pool_neon.cc',
      'kernels/pool/pool_scalar.cc',
      'kernels/pwconv/pack.cc',
      'kernels/pwconv/pwconv_avx2.cc',
      'kernels/pwconv/pwconv_avx512.cc',
      'kernels/pwconv/pwconv_neon.cc',
      'kernels/pwconv/pwconv_scalar.cc',
      'kernels/rows/rows_avx2.cc',
      'kernels/rows/rows_avx512.cc',
      'kernels/rows/rows_neon.cc',
      'kernels/rows/rows_scalar.cc',
    ],
    'addon_files': [
    ],
  },
}
