#include "convergence/chain.h"
