/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of comgr, the compiler behind hipRTC, that grkan calls, as they are since ROCm 5: see hip_functions.h. */
FUNCTION(amd_comgr_status_t, amd_comgr_create_action_info, (amd_comgr_action_info_t * action))
FUNCTION(amd_comgr_status_t, amd_comgr_action_info_set_isa_name, (amd_comgr_action_info_t action, const char *name))
FUNCTION(amd_comgr_status_t, amd_comgr_destroy_action_info, (amd_comgr_action_info_t action))
FUNCTION(amd_comgr_status_t, amd_comgr_create_data, (amd_comgr_data_kind_t kind, amd_comgr_data_t *data))
FUNCTION(amd_comgr_status_t, amd_comgr_set_data, (amd_comgr_data_t data, size_t bytes, const char *content))
FUNCTION(amd_comgr_status_t, amd_comgr_release_data, (amd_comgr_data_t data))
FUNCTION(amd_comgr_status_t, amd_comgr_get_data_metadata, (amd_comgr_data_t data, amd_comgr_metadata_node_t *node))
FUNCTION(amd_comgr_status_t, amd_comgr_metadata_lookup,
         (amd_comgr_metadata_node_t map, const char *key, amd_comgr_metadata_node_t *value))
FUNCTION(amd_comgr_status_t, amd_comgr_get_metadata_list_size, (amd_comgr_metadata_node_t list, size_t *count))
FUNCTION(amd_comgr_status_t, amd_comgr_index_list_metadata,
         (amd_comgr_metadata_node_t list, size_t index, amd_comgr_metadata_node_t *value))
FUNCTION(amd_comgr_status_t, amd_comgr_get_metadata_string, (amd_comgr_metadata_node_t node, size_t *bytes, char *text))
FUNCTION(amd_comgr_status_t, amd_comgr_destroy_metadata, (amd_comgr_metadata_node_t node))

#undef FUNCTION
