# SPDX-License-Identifier: Apache-2.0
from grkan.torch.in_place_of import become

become(__name__)
