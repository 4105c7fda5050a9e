# What users build: npm runs node-gyp on this. CMakeLists.txt builds the same sources for developers.
{
  'includes': ['native/native.gypi'],
  'target_defaults': {
    'include_dirs': ['native'],
    # Exceptions carry errors up to the addon's border; kernels throw none.
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
    'cflags_cc': ['-std=c++17', '-fexceptions', '-fvisibility=hidden'],
    'cflags': ['-Wall', '-Wextra'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
    },
    'msvs_settings': {'VCCLCompilerTool': {'ExceptionHandling': 1, 'AdditionalOptions': ['/std:c++17']}},
  },
  'targets': [
    {
      'target_name': 'shufflenet',
      'sources': ['<@(core_files)', '<@(addon_files)'],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': [
        'NAPI_VERSION=8',
        'NAPI_CPP_EXCEPTIONS',
        # A worker thread that is being terminated must not take the process with it.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
    },
  ],
}
