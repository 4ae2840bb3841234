/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of Python that direct.c calls, FUNCTION(result, name, arguments): all of its stable interface. The file that
 * makes something of the list defines that word and includes it; it has no guard. A python_object that is returned is the
 * caller's, to give back with Py_DecRef; NULL: it has failed, and an exception is set.
 */
FUNCTION(void, Py_IncRef, (python_object * object))
FUNCTION(void, Py_DecRef, (python_object * object))
FUNCTION(python_object *, PyObject_Type, (python_object * object))
FUNCTION(python_object *, PyObject_CallFunctionObjArgs, (python_object * function, ...)) /* the last one is NULL */
FUNCTION(python_object *, PyObject_Call, (python_object * function, python_object *arguments, python_object *named))
FUNCTION(int, PyObject_IsTrue, (python_object * object))
FUNCTION(ptrdiff_t, PyTuple_Size, (python_object * tuple))
FUNCTION(python_object *, PyTuple_GetItem, (python_object * tuple, ptrdiff_t index)) /* the tuple's, not the caller's */
FUNCTION(python_object *, PyTuple_New, (ptrdiff_t size))
FUNCTION(int, PyTuple_SetItem,
         (python_object * tuple, ptrdiff_t index, python_object *item)) /* which is the tuple's then */
FUNCTION(python_object *, PyDict_GetItemWithError, (python_object * dict, python_object *key)) /* the dict's */
FUNCTION(long long, PyLong_AsLongLong, (python_object * object))
FUNCTION(double, PyFloat_AsDouble, (python_object * object))
FUNCTION(python_object *, PyErr_Occurred, (void)) /* nobody's */
FUNCTION(void, PyErr_Clear, (void))
FUNCTION(void *, PyEval_SaveThread, (void))
FUNCTION(void, PyEval_RestoreThread, (void *thread))
FUNCTION(python_object *, PyCapsule_New, (void *pointer, const char *name, void (*destructor)(python_object *)))
FUNCTION(void *, PyCapsule_GetPointer, (python_object * capsule, const char *name))
FUNCTION(python_object *, PyCFunction_NewEx, (python_method * method, python_object *self, python_object *module))
#undef FUNCTION
