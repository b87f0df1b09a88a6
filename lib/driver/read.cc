#include "convergence/driver.h"
