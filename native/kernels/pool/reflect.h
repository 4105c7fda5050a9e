// Average pools whose padding mirrors the plane at its outermost cells: row -1 is row 1.
#pragma once
#include "kernels/pool/pool.h"

namespace sn {

// Computes anew the windows of output rows [begin, end) that stick out of the plane, after the kernels, which take what is
// outside for zeros. Windows are 3x3 and stick out by at most one cell, so that what it mirrors lies in the same window;
// planes have at least two rows and columns.
template <class T>
void reflect_borders(const PoolPlanesOf<T>& a, int begin, int end);
template <class T>
void reflect_borders(const PoolChannelsOf<T>& a, int begin, int end);

}  // namespace sn
