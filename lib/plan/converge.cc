#include "convergence/plan.h"
